"""The fault file: what counts, what is passed over, what strikes once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.launchd import faults
from lab.launchd.faults import Faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Faults()),
        ("[]", Faults()),
        ('{"unknown": 1}', Faults()),
        ('{"teardown_delay_s": 20}', Faults(teardown_delay_s=20)),
        ('{"teardown_delay_s": "long"}', Faults()),
        ('{"fail_bootstrap_once": true}', Faults()),
        ('{"fail_bootstrap_once": 5}', Faults(fail_bootstrap_once=5)),
        ('{"gui_sessions": [501]}', Faults(gui_sessions=(501,))),
        ('{"gui_sessions": "501"}', Faults()),
        ('{"ends_well_on_sigterm": ["a.b"]}', Faults(ends_well_on_sigterm=("a.b",))),
        ('{"ends_well_on_sigterm": [1]}', Faults()),
        ('{"jetsam_on_sigkill": ["a.b"]}', Faults(jetsam_on_sigkill=("a.b",))),
        ('{"fail_bootout_once": 36}', Faults(fail_bootout_once=36)),
        ('{"drop_early_bootstrap": true}', Faults(drop_early_bootstrap=True)),
    ],
)
def test_load(tmp_path: Path, text: str, expected: Faults) -> None:
    path = tmp_path / "launchd.json"
    path.write_text(text, encoding="utf-8")
    assert faults.load(path) == expected


def test_missing_file_means_no_faults(tmp_path: Path) -> None:
    assert faults.load(tmp_path / "none") == Faults()


def test_a_strike_leaves_the_other_faults(tmp_path: Path) -> None:
    path = tmp_path / "launchd.json"
    path.write_text('{"fail_bootstrap_once": 5, "verb_delay_s": 1}', encoding="utf-8")
    faults.strike(path, "fail_bootstrap_once")
    assert faults.load(path) == Faults(verb_delay_s=1)

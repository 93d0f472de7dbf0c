"""What converge.py measures for which words."""

from __future__ import annotations

import pytest

from benchmarks.converge import Plan, plan, what_changed

RECAP = """\
PLAY RECAP *********************************************************************
attic                      : ok=22   changed=0    unreachable=0    failed=0    skipped=4
laptop01                   : ok=9    changed=2    unreachable=0    failed=0    skipped=4
laptop02                   : ok=9    changed=10   unreachable=0    failed=0    skipped=4
"""


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        pytest.param([], Plan((3, 15, 31), 3, 3), id="everything"),
        pytest.param(["--quick"], Plan((3,), 3, 1), id="quick"),
        pytest.param(["--repeats", "5"], Plan((3, 15, 31), 5, 5), id="repeats"),
        pytest.param(
            ["--laptops", "3,31", "--first-runs", "1"], Plan((3, 31), 3, 1), id="two sizes"
        ),
    ],
)
def test_plan(words: list[str], wanted: Plan) -> None:
    assert plan(words) == wanted


@pytest.mark.parametrize("words", [["--laptops", "3,many"], ["--repeats", "0"], ["--laptops", ""]])
def test_words_without_a_meaning_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        plan(words)


def test_what_changed() -> None:
    assert what_changed(RECAP) == ["laptop01", "laptop02"]
    assert what_changed("PLAY RECAP\n") == []

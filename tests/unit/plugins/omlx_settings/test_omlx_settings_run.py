# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omlx_settings on a real folder: check mode, power cuts, broken files, secrets."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import run
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.found import (
    SettingsNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.live import LiveResult
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    SettingsRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.run import execute

KEY = "sk-very-secret-0123456789"
NOBODY = 65534
OLD_KEY = "sk-older-secret-987654321"


@pytest.fixture(autouse=True)
def confirmed_and_not_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """The LAN was confirmed, and no omlx runs: what this machine has is none of the tests'."""
    monkeypatch.setattr(consent, "on_this_host", lambda: None)
    monkeypatch.setattr(run, "settle", lambda *_: LiveResult())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "omlx"


def params(base: Path, **changed: Any) -> dict[str, Any]:
    return {
        "base_path": str(base),
        "settings": {"server": {"host": "10.77.31.10", "port": 8000}},
        "models": {"coder": {"is_pinned": True}},
        "api_key": KEY,
        **changed,
    }


def snapshot(base: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(base.glob("*"))
    }


def test_check_mode_says_what_the_run_does(base: Path) -> None:
    foretold, _ = execute(params(base), check_mode=True)
    assert not base.exists()
    told, warnings = execute(params(base))
    assert told == foretold
    assert warnings == []
    assert told["changed_keys"] == [
        "server.host",
        "server.port",
        "auth.api_key",
        "models.coder.is_pinned",
    ]
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    assert {mode for mode, _ in snapshot(base).values()} == {0o600}
    again, _ = execute(params(base))
    assert again == {**told, "changed": False, "changed_keys": [], "diff": []}


def test_what_omlx_writes_in_between_is_not_a_change(base: Path) -> None:
    execute(params(base))
    path = base / "settings.json"
    document = json.loads(path.read_text())
    document["server"]["server_aliases"] = ["attic.local"]
    document["auth"]["secret_key"] = "f00d"
    path.write_text(json.dumps(document))  # in place, as omlx does: the mode stays
    assert execute(params(base))[0]["changed"] is False
    execute(params(base, settings={"server": {"port": 8001}}))
    after = json.loads(path.read_text())
    assert after["server"]["server_aliases"] == ["attic.local"]
    assert after["auth"]["secret_key"] == "f00d"


def test_no_secret_in_any_result(base: Path) -> None:
    execute(params(base, api_key=OLD_KEY))
    for check_mode in (True, False):
        result, warnings = execute(params(base), check_mode)
        told = json.dumps([result, warnings])
        assert KEY not in told
        assert OLD_KEY not in told
        assert result["changed_keys"] == ["auth.api_key"]
        assert "+auth.api_key: changed, not shown" in "\n".join(
            f"+{line}" for line in result["diff"][0]["after"].splitlines()
        )


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b"\xff\xfe"])
def test_a_broken_file_is_kept_aside_and_said_so(base: Path, content: bytes) -> None:
    base.mkdir(mode=0o700)
    (base / "settings.json").write_bytes(content)
    result, warnings = execute(params(base), check_mode=True)
    assert result["changed"] is True
    assert "would be kept as settings.json.broken-1" in warnings[0]
    assert list(snapshot(base)) == ["settings.json"]
    result, warnings = execute(params(base))
    assert "was kept as settings.json.broken-1" in warnings[0]
    assert snapshot(base)["settings.json.broken-1"] == (0o600, content)
    assert json.loads((base / "settings.json").read_text())["auth"]["api_key"] == KEY
    (base / "settings.json").write_bytes(b"broken anew")
    assert "broken-2" in execute(params(base))[1][0]
    assert execute(params(base))[0]["changed"] is False


def test_a_broken_file_without_a_key_does_not_open_the_server(base: Path) -> None:
    base.mkdir()
    (base / "settings.json").write_text(f'{{"auth": {{"api_key": "{KEY}"')
    with pytest.raises(SettingsRefusedError, match="there is no API key"):
        execute(params(base, api_key=None))
    assert list(snapshot(base)) == ["settings.json"]


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_power_cut_between_the_writes(
    base: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    base.mkdir(mode=0o700)
    (base / "settings.json").write_text("{")
    real, count = write_atomic, 0

    def until_the_cut(*words: Any) -> None:
        nonlocal count
        if count == cut:
            raise KeyboardInterrupt
        count += 1
        real(*words)

    with monkeypatch.context() as power:
        power.setattr(run, "write_atomic", until_the_cut)
        with pytest.raises(KeyboardInterrupt):
            execute(params(base))
    result, _ = execute(params(base))
    assert result["changed"] is True
    assert sorted(snapshot(base)) == [
        "model_settings.json",
        "settings.json",
        "settings.json.broken-1",
    ]
    assert execute(params(base))[0]["changed"] is False


def test_a_failed_write_names_the_file(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "write_atomic", full)
    words = r"settings\.json could not be written with the rights of uid 0: No sp"
    with pytest.raises(SettingsNotWrittenError, match=words):
        execute(params(base))


def test_modes_are_put_right(base: Path) -> None:
    execute(params(base))
    base.chmod(0o755)
    (base / "model_settings.json").chmod(0o644)
    result, _ = execute(params(base))
    assert result["changed"] is True
    assert result["changed_keys"] == []
    assert [entry["after_header"].split("/")[-1] for entry in result["diff"]] == [
        "omlx (attributes)",
        "model_settings.json (attributes)",
    ]
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    assert snapshot(base)["model_settings.json"][0] == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_who_had_it() -> None:
    # a folder that nobody can reach, as pytest's own are closed to others
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        base = Path(place, "omlx")
        execute(params(base, owner=str(NOBODY), group=str(NOBODY)))
        assert {(path.stat().st_uid, path.stat().st_gid) for path in [base, *base.glob("*")]} == {
            (NOBODY, NOBODY)
        }
        execute(params(base, api_key=OLD_KEY))
        assert (base / "settings.json").stat().st_uid == NOBODY


def test_an_empty_key_takes_the_one_in_the_file_out(base: Path) -> None:
    loopback = {"server": {"host": "127.0.0.1"}}
    execute(params(base))
    with pytest.raises(SettingsRefusedError, match="there is no API key"):
        execute(params(base, api_key=""))
    result, _ = execute(params(base, api_key="", settings=loopback))
    assert "auth.api_key" in result["changed_keys"]
    assert not json.loads((base / "settings.json").read_text())["auth"].get("api_key")
    assert execute(params(base, api_key="", settings=loopback))[0]["changed"] is False


def test_no_key_leaves_the_one_in_the_file(base: Path) -> None:
    execute(params(base))
    before = json.loads((base / "settings.json").read_text())["auth"]["api_key"]
    execute(params(base, api_key=None))
    assert json.loads((base / "settings.json").read_text())["auth"]["api_key"] == before


def test_only_what_is_asked_for_is_made(base: Path) -> None:
    execute(params(base, models={}))
    assert list(snapshot(base)) == ["settings.json"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"base_path": "~/.omlx"}, "not an absolute path"),
        ({"base_path": "/no/such/parent"}, "is not there"),
        ({"owner": "no-one-i-know"}, "not known on this host"),
        ({"base_path": __file__}, "is not a folder"),
    ],
)
def test_places_that_cannot_be_meant(base: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsRefusedError, match=words):
        execute(params(base, **changed))


def test_in_check_mode_an_earlier_task_may_still_make_the_place(tmp_path: Path) -> None:
    base = tmp_path / "home/.omlx"
    result, warnings = execute(params(base, owner="no-one-i-know"), check_mode=True)
    assert result["changed"] is True
    assert len(warnings) == 2

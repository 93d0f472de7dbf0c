# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""managed_files on a real folder: check mode, refusal before the first write, taking back."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.managed_files import (
    apply as apply_module,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.apply import (
    FilesNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    Have,
    Scene,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.plan import plan
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    parse_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

KEY = "sk-very-secret-0123456789"


class Validators(Runner):
    """Answers validators by name and remembers what they were shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word of Runner
        env: Any = None,
    ) -> Completed:
        path = Path(argv[-1])
        self.shown.append(path.read_text())
        if argv[0] == "no":
            return Completed(tuple(argv), 1, "", f"{path}:1:17: syntax error\n{path.read_text()}")
        rc = 127 if argv[0] == "missing" else 0
        return Completed(tuple(argv), rc, f"{path}: parsed OK\n", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "shared").write_text("theirs\n")
    (folder / "shared").chmod(0o640)
    (folder / "old").write_text("old\n")
    (folder / "empty").mkdir()
    (folder / "pointer").symlink_to("old")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[Any, ...]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content: Any = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        mode = stat.S_IMODE(status.st_mode)
        found[str(path.relative_to(folder))] = (content, mode, status.st_uid, status.st_gid)
    return found


def everything(root: Path) -> list[dict[str, Any]]:
    return [
        {"path": f"{root}/made", "state": "directory", "mode": "0750"},
        {"path": f"{root}/made/file", "content": "new\n", "mode": "0600"},
        {"path": f"{root}/made/key", "content": "0", "secret": True},
        {"path": f"{root}/made/link", "link": "../old"},
        {"path": f"{root}/shared", "block": "ours", "block_name": "b"},
        {"path": f"{root}/shared", "line": "a=2", "match": "^a="},
        {"path": f"{root}/pointer", "content": "no link any more\n"},
        {"path": f"{root}/old", "state": "absent"},
        {"path": f"{root}/empty", "state": "absent"},
    ]


def run(entries: list[dict[str, Any]], tmp_path: Path, check: bool = False) -> dict[str, Any]:
    params = {"files": entries, "secret_contents": [KEY]}
    result, _warnings = execute(params, Validators(), str(tmp_path), check)
    return result


def test_check_mode_says_what_the_run_does_and_does_nothing(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    foretold = run(everything(root), tmp_path, check=True)
    assert snapshot(root) == before
    assert run(everything(root), tmp_path) == foretold
    after = snapshot(root)
    assert after["made/file"][:2] == (b"new\n", 0o600)
    assert after["made/key"][:2] == (KEY.encode(), 0o600)
    assert after["made"][1] == 0o750
    assert after["made/link"][0] == "../old"
    assert after["pointer"][0] == b"no link any more\n"
    assert after["shared"][1] == 0o640
    assert after["shared"][0] == (
        b"theirs\n# BEGIN closet.inference b\nours\n# END closet.inference b\na=2\n"
    )
    assert "old" not in after
    assert "empty" not in after
    assert [each["changed"] for each in foretold["files"]] == [True] * 8


def test_the_second_run_changes_nothing(root: Path, tmp_path: Path) -> None:
    first = run(everything(root), tmp_path)
    inodes = {path: path.lstat().st_ino for path in root.rglob("*")}
    second = run(everything(root), tmp_path)
    assert second["changed"] is False
    assert second["diff"] == []
    assert second["digest"] == first["digest"]
    assert {path: path.lstat().st_ino for path in root.rglob("*")} == inodes


def test_secrets_are_in_no_result(root: Path, tmp_path: Path) -> None:
    result = run(everything(root), tmp_path)
    assert KEY not in json.dumps(result)
    shown = [entry for entry in result["diff"] if entry["after"] == "changed, not shown\n"]
    assert [entry["after_header"] for entry in shown] == [f"{root}/made/key (mode 0600)"]
    (root / "made/key").write_text("sk-older-secret")
    changed = run(everything(root), tmp_path)
    assert changed["changed"] is True
    assert "sk-older-secret" not in json.dumps(changed)
    removed = run([{"path": f"{root}/made/key", "state": "absent", "secret": True}], tmp_path)
    assert KEY not in json.dumps(removed)


@pytest.mark.parametrize("failing", ["made", "file", "key", "link", "shared", "pointer", "old"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_run_cut_short_leaves_everything_as_it_was(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    error: BaseException,
) -> None:
    before = snapshot(root)
    for action, do in list(apply_module.DO.items()):

        def half(step: Any, do: Any = do) -> None:
            do(step)  # the worst moment: done, but not known to be
            if step.path.endswith(f"/{failing}"):
                raise error

        monkeypatch.setitem(apply_module.DO, action, half)
    with pytest.raises((FilesNotWrittenError, KeyboardInterrupt)) as raised:
        run(everything(root), tmp_path)
    assert snapshot(root) == before
    if isinstance(error, OSError):
        assert f"/{failing} could not be changed" in str(raised.value)
        assert "No space left on device; see what is free: `df -h /" in str(raised.value)


def test_what_cannot_be_put_back_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(step: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setitem(apply_module.DO, "unlink", broken)
    monkeypatch.setattr(apply_module, "_put_back", broken)
    with pytest.raises(FilesNotWrittenError, match=r"could not be restored: .*made") as raised:
        run(everything(root), tmp_path)
    assert re.search(r"Input/output error; see owners and modes: `sudo ls -ld", str(raised.value))


def test_a_validator_says_no_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    bad = {"path": f"{root}/sudoers", "content": "rubbish\n", "validate": ["no", "-cf", "%s"]}
    with pytest.raises(FilesRefusedError) as raised:
        run([*everything(root), bad], tmp_path)
    assert snapshot(root) == before
    words = str(raised.value)
    assert f"{root}/sudoers:1:17: syntax error\nrubbish" in words
    assert f"'no -cf {root}/sudoers' ended with 1" in words
    assert not list(tmp_path.glob("closet-validate-*"))


def test_a_validator_of_a_secret_is_not_quoted(root: Path, tmp_path: Path) -> None:
    entry = {"path": f"{root}/x", "content": "0", "secret": True, "validate": ["no", "%s"]}
    with pytest.raises(FilesRefusedError) as raised:
        run([entry], tmp_path)
    assert KEY not in str(raised.value)


def test_a_validator_sees_the_whole_file_and_only_when_it_changes(
    root: Path, tmp_path: Path
) -> None:
    entry = {"path": f"{root}/shared", "line": "a", "validate": ["yes", "%s"]}
    validators = Validators()
    execute({"files": [entry]}, validators, str(tmp_path))
    execute({"files": [entry]}, validators, str(tmp_path))
    assert validators.shown == ["theirs\na\n"]


def test_a_missing_validator_warns_in_check_mode_and_stops_a_run(
    root: Path, tmp_path: Path
) -> None:
    entry = {"path": f"{root}/x", "content": "x", "validate": ["missing", "%s"]}
    result, warnings = execute({"files": [entry]}, Validators(), str(tmp_path), check_mode=True)
    assert result["changed"] is True
    assert warnings == [f"{root}/x was not checked: the validator missing is not on this host"]
    with pytest.raises(FilesRefusedError, match="cannot be checked"):
        execute({"files": [entry]}, Validators(), str(tmp_path))
    assert not (root / "x").exists()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param({"path": "{}/no/x", "content": ""}, "needs the folder", id="no parent"),
        pytest.param({"path": "{}/old/x", "content": ""}, "is not a folder", id="file as parent"),
        pytest.param({"path": "{}/empty", "content": ""}, "is a folder", id="folder"),
        pytest.param({"path": "{}/old", "state": "directory"}, "is a file", id="file"),
        pytest.param({"path": "{}/old", "link": "/x"}, "would replace it", id="link over file"),
        pytest.param({"path": "{}", "state": "absent"}, "still holds empty, old, pointer and 1"),
        pytest.param({"path": "{}/pipe", "content": ""}, "neither a file", id="pipe"),
        pytest.param({"path": "{}/x", "content": "", "owner": "no-one-i-know"}, "no-one-i-know"),
        pytest.param({"path": "{}/x", "content": "", "group": "no-group"}, "no-group", id="group"),
    ],
)
def test_problems_stop_everything(
    root: Path, tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    os.mkfifo(root / "pipe") if "pipe" in entry["path"] else None
    before = snapshot(root)
    other = {"path": f"{root}/fine", "content": "fine\n"}
    with pytest.raises(FilesRefusedError, match=words):
        run([other, {**entry, "path": entry["path"].format(root)}], tmp_path)
    assert snapshot(root) == before


def test_a_damaged_block_is_named(root: Path, tmp_path: Path) -> None:
    (root / "shared").write_text("# BEGIN closet.inference b\n")
    with pytest.raises(FilesRefusedError, match=f"{root}/shared: line 1 says"):
        run([{"path": f"{root}/shared", "block": "x", "block_name": "b"}], tmp_path)


def test_root_follows_no_link_among_parents(root: Path, tmp_path: Path) -> None:
    (root / "private").mkdir()
    (root / "etc").symlink_to("private")
    with pytest.raises(FilesRefusedError, match=r"etc is a symbolic link to private, and root"):
        run([{"path": f"{root}/etc/d", "state": "directory"}], tmp_path)
    assert list((root / "private").iterdir()) == []


@pytest.mark.parametrize(
    "entry", [{"line": "x"}, {"block": "x", "block_name": "b"}, {"state": "directory"}]
)
def test_root_edits_nothing_through_a_link(
    root: Path, tmp_path: Path, entry: dict[str, str]
) -> None:
    before = snapshot(root)
    with pytest.raises(FilesRefusedError, match="is a symbolic link to old, which root does not"):
        run([{"path": f"{root}/pointer", **entry}], tmp_path)
    assert snapshot(root) == before


def test_edits_taken_out_of_a_file_that_is_not_there(root: Path, tmp_path: Path) -> None:
    entry = {"path": f"{root}/no/such", "block_name": "b", "state": "absent"}
    result = run([entry], tmp_path)
    assert result["changed"] is False
    assert result["files"] == [{"path": f"{root}/no/such", "changed": False, "state": "absent"}]


def test_bytes_that_are_not_utf8_survive_an_edit(root: Path, tmp_path: Path) -> None:
    (root / "shared").write_bytes(b"caf\xe9\n")
    result = run([{"path": f"{root}/shared", "line": "x"}], tmp_path)
    assert (root / "shared").read_bytes() == b"caf\xe9\nx\n"
    assert result["diff"][0]["before"] == "(5 bytes that are not text)\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_group_and_mode(root: Path, tmp_path: Path) -> None:
    entry = {"path": f"{root}/old", "content": "old\n", "owner": "12", "group": "34"}
    result = run([{**entry, "mode": "0600"}], tmp_path)
    assert snapshot(root)["old"] == (b"old\n", 0o600, 12, 34)
    assert "mode: 0600" in result["diff"][0]["after"]
    run([{"path": f"{root}/old", "content": "new\n"}], tmp_path)
    assert snapshot(root)["old"] == (b"new\n", 0o600, 12, 34)


def scene(**changed: Any) -> Scene:
    have = Have("/x", "absent")
    base: dict[str, Any] = {"have": {"/x": have}, "uids": {}, "gids": {}, "euid": 0}
    return Scene(**{**base, "check_mode": False, **changed})


@pytest.mark.parametrize(
    ("entry", "facts", "problem", "warning"),
    [
        pytest.param(
            {"owner": "root"}, {"uids": {"root": 0}, "euid": 501}, "only root may give", None
        ),
        pytest.param({"owner": "me"}, {"uids": {"me": 501}, "euid": 501}, None, None),
        pytest.param({"owner": "omlx"}, {"uids": {"omlx": None}}, "this host does not have", None),
        pytest.param(
            {"owner": "omlx"},
            {"uids": {"omlx": None}, "check_mode": True},
            None,
            "this host does not have",
        ),
        pytest.param(
            {},
            {"have": {"/x": Have("/x", "absent", parent="absent")}, "check_mode": True},
            None,
            "needs the folder",
        ),
    ],
)
def test_rights_and_what_an_earlier_task_would_bring(
    entry: dict[str, Any], facts: dict[str, Any], problem: str | None, warning: str | None
) -> None:
    made = plan(parse_wants([{"path": "/x", "content": "x", **entry}]), scene(**facts))
    assert [str(problem) in words for words in made.problems] == ([True] if problem else [])
    assert [str(warning) in words for words in made.warnings] == ([True] if warning else [])

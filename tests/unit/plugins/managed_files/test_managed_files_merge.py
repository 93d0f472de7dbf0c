# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of ours in a JSON file of somebody else, on a real folder and through power cuts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.managed_files import (
    apply as apply_module,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    Step,
    digest,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    parse_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

THEIRS = '{\n  // mine\n  "servers": {\n    "mine": {"url": "http://mine"}\n  }\n}\n'


class Disk:
    """A folder with the app's file and our record in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "mcp.json"
        self.record = folder / "record.json"

    def want(self, **servers: Any) -> list[dict[str, Any]]:
        entries = [{"at": ["servers", name], "value": value} for name, value in servers.items()]
        return [{"path": str(self.file), "record": str(self.record), "merge": entries}]

    def run(self, check: bool = False, **servers: Any) -> dict[str, Any]:
        params = {"files": self.want(**servers)}
        return execute(params, Runner(), str(self.folder), check)[0]

    def servers(self) -> dict[str, Any]:
        lines = [
            line for line in self.file.read_text().split("\n") if not line.lstrip().startswith("//")
        ]
        found: dict[str, Any] = json.loads("\n".join(lines))["servers"]
        return found


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_ours_come_and_go_and_theirs_stay(disk: Disk) -> None:
    disk.file.write_text(THEIRS)
    disk.file.chmod(0o640)
    assert disk.run(ours={"n": 1}, more={"n": 2})["changed"]
    assert list(disk.servers()) == ["mine", "ours", "more"]
    assert disk.file.stat().st_mode & 0o777 == 0o640
    assert not disk.run(ours={"n": 1}, more={"n": 2})["changed"]
    disk.run(ours={"n": 3})
    assert disk.servers()["ours"] == {"n": 3}
    assert "more" not in disk.servers()
    disk.run()
    assert disk.file.read_text() == THEIRS
    assert not disk.record.exists()
    assert not disk.run()["changed"]


def test_a_file_that_was_made_for_ours_goes_with_them(disk: Disk) -> None:
    assert disk.run(check=True, ours=1)["changed"]
    assert not disk.file.exists()
    disk.run(ours=1)
    assert disk.file.stat().st_mode & 0o777 == 0o600
    assert disk.record.stat().st_mode & 0o777 == 0o600
    disk.run()
    assert list(disk.folder.iterdir()) == []


def test_what_a_person_adds_to_it_keeps_the_file(disk: Disk) -> None:
    disk.run(ours=1)
    disk.file.write_text('{"servers": {"ours": 1, "mine": 2}}')
    disk.run()
    assert disk.servers() == {"mine": 2}


def test_an_app_that_drops_or_changes_ours_gets_them_again(disk: Disk) -> None:
    disk.run(ours={"n": 1})
    disk.file.write_text('{"servers": {"ours": {"n": 9}}}')
    disk.run(ours={"n": 1})
    assert disk.servers() == {"ours": {"n": 1}}
    disk.file.unlink()
    disk.run(ours={"n": 1})
    assert disk.servers() == {"ours": {"n": 1}}


def test_one_of_theirs_with_our_name_is_refused_before_anything_is_written(disk: Disk) -> None:
    disk.file.write_text(THEIRS)
    with pytest.raises(FilesRefusedError, match=r"has an entry servers\.mine that did not come"):
        disk.run(mine={"url": "http://ours"}, other=1)
    assert disk.file.read_text() == THEIRS
    assert not disk.record.exists()
    disk.run(mine={"url": "http://mine"})
    assert disk.file.read_text() == THEIRS, "the same value is no quarrel"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", r"mcp\.json is not ours .*: line 1 is not JSON", id="no json"),
        pytest.param('{"servers": 1}', "servers is no object", id="another shape"),
    ],
)
def test_a_file_that_cannot_take_them_is_refused(disk: Disk, text: str, words: str) -> None:
    disk.file.write_text(text)
    with pytest.raises(FilesRefusedError, match=words):
        disk.run(ours=1)
    assert disk.file.read_text() == text


def test_a_damaged_record_is_not_guessed_at(disk: Disk) -> None:
    disk.record.write_text('{"version": 2}')
    with pytest.raises(FilesRefusedError, match=r"record\.json cannot be understood"):
        disk.run(ours=1)


def test_a_folder_in_the_records_place_is_refused_with_its_owner(disk: Disk) -> None:
    disk.file.write_text(THEIRS)
    disk.record.mkdir()
    aside = f"mv -n {disk.record} {disk.record}.aside"
    with pytest.raises(FilesRefusedError, match=rf"is a folder, not a file.*{re.escape(aside)}"):
        disk.run(ours=1)
    assert disk.file.read_text() == THEIRS


class PowerCutError(BaseException):
    """Nothing is taken back: the machine is off."""


def cut_after(
    monkeypatch: pytest.MonkeyPatch, disk: Disk, steps: int, servers: dict[str, Any]
) -> bool:
    """Run, and lose power before step number `steps`; False when the run had no more steps."""

    def apply(todo: Sequence[Step], _rights: object) -> None:
        for number, step in enumerate(todo):
            if number == steps:
                raise PowerCutError
            apply_module.DO[step.action](step)

    with monkeypatch.context() as patched:
        patched.setattr(
            "ansible_collections.closet.inference.plugins.module_utils.managed_files.run.apply",
            apply,
        )
        try:
            disk.run(**servers)
        except PowerCutError:
            return True
    return False


@pytest.mark.parametrize("steps", range(3))
@pytest.mark.parametrize("had", [False, True], ids=["new file", "their file"])
def test_after_a_power_cut_the_next_run_knows_what_is_ours(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, steps: int, had: bool
) -> None:
    if had:
        disk.file.write_text(THEIRS)
    disk.run(old=1, both=2)
    assert cut_after(monkeypatch, disk, steps, {"both": 3, "new": 4})
    disk.run(last=5)
    assert set(disk.servers()) == {"last"} | ({"mine"} if had else set())
    assert cut_after(monkeypatch, disk, min(steps, 1), {})
    disk.run()
    assert disk.file.exists() is had
    if had:
        assert disk.file.read_text() == THEIRS
    assert not disk.record.exists()


ENTRY = {"path": "/a", "record": "/r", "merge": []}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        pytest.param([{**ENTRY, "record": None}], "needs a record", id="no record"),
        pytest.param([{**ENTRY, "merge": {}}], "is a list of entries", id="no list"),
        pytest.param([{**ENTRY, "merge": [{"at": "x"}]}], "has at and value", id="no value"),
        pytest.param([{**ENTRY, "merge": [{"at": [], "value": 1}]}], "list of names", id="nowhere"),
        pytest.param([{**ENTRY, "merge": [{"at": [1], "value": 1}]}], "list of names", id="number"),
        pytest.param(
            [{**ENTRY, "merge": [{"at": ["a", {"id": "x"}], "value": {"id": "y"}}]}],
            "has to have what it is found by",
            id="not found again",
        ),
        pytest.param(
            [{**ENTRY, "merge": [{"at": "a", "value": 1}, {"at": ["a", "b"], "value": 1}]}],
            "one in the other",
            id="one in the other",
        ),
        pytest.param([ENTRY, {**ENTRY, "path": "/b"}], "is a record", id="one record for two"),
        pytest.param([ENTRY, ENTRY], "listed twice", id="one file twice"),
    ],
)
def test_refused_words(entries: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(FilesRefusedError, match=words):
        parse_wants(entries)


def test_a_secret_merge_comes_from_beside_and_is_not_shown(disk: Disk) -> None:
    entries = json.dumps([{"at": ["servers", "ours"], "value": {"key": "sk-1"}}])
    files = [{**disk.want()[0], "merge": "0", "secret": True}]
    params = {"files": files, "secret_contents": [entries]}
    result, _ = execute(params, Runner(), str(disk.folder))
    assert "sk-1" not in json.dumps(result)
    assert "sk-1" not in disk.record.read_text()
    assert disk.servers() == {"ours": {"key": "sk-1"}}


def test_the_digest_moves_with_the_entries(disk: Disk) -> None:
    made = [digest(parse_wants(disk.want(ours=value))) for value in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_a_folder_of_ours_alone_holds_only_what_it_may(disk: Disk) -> None:
    folder = disk.folder / "secrets"
    entry = {"path": str(folder), "state": "directory", "mode": "0700"}
    made = [{**entry, "only": ["A"]}, {"path": f"{folder}/A", "content": "0", "secret": True}]
    params = {"files": made, "secret_contents": ["sk-1"]}
    execute(params, Runner(), str(disk.folder))
    (folder / "B").write_text("sk-2")
    (folder / "link").symlink_to("A")
    foretold, _ = execute(params, Runner(), str(disk.folder), True)
    assert sorted(path.name for path in folder.iterdir()) == ["A", "B", "link"]
    result, _ = execute(params, Runner(), str(disk.folder))
    assert foretold == result
    assert [path.name for path in folder.iterdir()] == ["A"]
    assert not execute(params, Runner(), str(disk.folder))[0]["changed"]
    execute({"files": [{**entry, "only": []}]}, Runner(), str(disk.folder))
    assert list(folder.iterdir()) == []
    (folder / "inner").mkdir()
    with pytest.raises(FilesRefusedError, match="inner is not to be there"):
        execute({"files": [{**entry, "only": []}]}, Runner(), str(disk.folder))


def test_a_file_made_for_a_block_gets_the_usual_mode(disk: Disk) -> None:
    path = disk.folder / "zshenv"
    block = {"path": str(path), "block": "x", "block_name": "b"}
    execute({"files": [block]}, Runner(), str(disk.folder))
    assert path.stat().st_mode & 0o777 == 0o644


def test_entries_in_several_containers_are_written_once(disk: Disk) -> None:
    entry = {"path": str(disk.file), "record": str(disk.record)}
    merge = [{"at": ["b", {"id": "x"}], "value": {"id": "x"}}, {"at": ["a", "y"], "value": 1}]
    params = {"files": [{**entry, "merge": merge}]}
    execute(params, Runner(), str(disk.folder))
    assert not execute(params, Runner(), str(disk.folder))[0]["changed"]
    assert execute({"files": [{**entry, "merge": []}]}, Runner(), str(disk.folder))[0]["changed"]
    assert list(disk.folder.iterdir()) == []

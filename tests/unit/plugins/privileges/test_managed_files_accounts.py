# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""managed_files in a folder of an account: its rights, its links, and what it cannot write."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.accounts import account_of
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

SECRET = "root's own words"


def run(*entries: dict[str, Any], check: bool = False) -> tuple[dict[str, Any], list[str]]:
    return execute({"files": list(entries)}, Runner(), "/tmp", check)


@pytest.fixture
def canary(place: Path) -> Path:
    """A file that only root can read, and its manifest."""
    folder = place / "roots"
    folder.mkdir(mode=0o700)
    file = folder / "canary.json"
    file.write_text(json.dumps({"secret": SECRET}))
    file.chmod(0o600)
    return file


def untouched(canary: Path, home: Path) -> bool:
    status = canary.stat()
    same = canary.read_text() == json.dumps({"secret": SECRET})
    copied = [
        path
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink() and SECRET in path.read_text()
    ]
    return same and not copied and (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


BLOCK = {"block": "ours", "block_name": "b"}
MERGE = {"merge": [{"at": ["a"], "value": 1}]}


@pytest.mark.parametrize("kind", [{"content": "ours\n"}, BLOCK, {"line": "ours"}, MERGE])
@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_a_link_to_a_file_of_roots_gives_nothing(
    home: Path, canary: Path, kind: dict[str, Any], check: bool, nobody: int
) -> None:
    (home / "file").symlink_to(canary)
    entry = {"path": f"{home}/file", "owner": str(nobody), **kind}
    if "merge" in kind:
        entry["record"] = f"{home}/record"
    if "content" in kind:
        run(entry, check=check)  # the link is replaced by the account's own file
    else:
        with pytest.raises(FilesRefusedError, match=f"leads to {canary}.*cannot be read with the"):
            run(entry, check=check)
    assert untouched(canary, home)


def test_a_folder_that_leads_to_one_of_roots_stays_roots(
    home: Path, canary: Path, nobody: int
) -> None:
    (home / ".config").symlink_to(canary.parent)
    entry = {"path": f"{home}/.config", "state": "directory", "mode": "0755"}
    with pytest.raises(FilesRefusedError, match="belongs to uid 0"):
        run({**entry, "owner": str(nobody)})
    with pytest.raises(FilesRefusedError):
        run({"path": f"{home}/.config/key", "content": "x"})
    assert untouched(canary, home)
    assert stat.S_IMODE(canary.parent.stat().st_mode) == 0o700


def test_the_account_s_own_links_keep_working(home: Path, nobody: int) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles/zshenv").write_text("theirs\n")
    for path in (home / "dotfiles", home / "dotfiles/zshenv"):
        os.chown(path, nobody, nobody)
    (home / ".zshenv").symlink_to("dotfiles/zshenv")
    result, warnings = run({"path": f"{home}/.zshenv", **BLOCK})
    assert result["changed"]
    assert warnings == []
    assert (home / ".zshenv").is_symlink()
    assert "theirs\n# BEGIN closet.inference b\nours" in (home / "dotfiles/zshenv").read_text()
    assert not run({"path": f"{home}/.zshenv", **BLOCK})[0]["changed"]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (BLOCK, "# BEGIN closet.inference b\nours\n# END closet.inference b"),
        ({"line": "ours"}, "Add this where it is made:\nours"),
        (MERGE, '"a": 1'),
    ],
)
def test_a_file_of_a_store_is_left_alone_with_the_lines_to_add(
    place: Path, home: Path, entry: dict[str, Any], shown: str
) -> None:
    store = place / "store"
    store.mkdir()
    (store / "file").write_text("{}\n" if "merge" in entry else "theirs\n")
    (store / "file").chmod(0o444)
    (home / "file").symlink_to(store / "file")
    before = (store / "file").read_bytes(), (store / "file").stat()
    given = {"path": f"{home}/file", "record": f"{home}/record", **entry}
    for check in (True, False):
        result, warnings = run(given, check=check)
        assert not result["changed"]
        assert shown in warnings[0]
        assert f"nobody cannot replace {store}/file (owner 0, mode 0444)" in warnings[0]
    assert ((store / "file").read_bytes(), (store / "file").stat()) == before
    assert not (home / "record").exists()


def test_a_store_that_has_the_lines_is_in_order(place: Path, home: Path) -> None:
    (place / "file").write_text("# BEGIN closet.inference b\nours\n# END closet.inference b\n")
    (home / "file").symlink_to(place / "file")
    assert run({"path": f"{home}/file", **BLOCK})[1] == []
    _result, warnings = run({"path": f"{home}/file", "block_name": "b", "state": "absent"})
    assert "no longer wanted: remove them where it is made" in warnings[0]


def test_what_is_only_edited_keeps_owner_and_mode(place: Path, home: Path, nobody: int) -> None:
    for folder, uid in ((place, 0), (home, nobody)):
        file = folder / "edited"
        file.write_text("theirs\n")
        file.chmod(0o640)
        os.chown(file, uid, -1)
        run({"path": str(file), **BLOCK, "owner": str(uid), "mode": "0600"})
        status = file.stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (uid, 0o640)


def test_a_secret_in_a_file_that_others_read_closes_it(home: Path, nobody: int) -> None:
    (home / "keys").write_text("theirs\n")
    os.chown(home / "keys", nobody, -1)
    entry = {"path": f"{home}/keys", "block": "0", "block_name": "b", "secret": True}
    execute({"files": [entry], "secret_contents": ["key"]}, Runner(), "/tmp")
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o600


def test_root_s_file_does_not_belong_below_a_home(home: Path) -> None:
    with pytest.raises(FilesRefusedError, match="cannot belong to 0: nobody can change a folder"):
        run({"path": f"{home}/file", "content": "x", "owner": "0"})
    assert list(home.iterdir()) == []


def test_what_has_no_owner_belongs_to_who_can_change_the_folder(home: Path, nobody: int) -> None:
    run({"path": f"{home}/program", "content": "x", "mode": "0755"})
    status = (home / "program").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (nobody, 0o755)


def test_root_makes_an_account_s_folder_where_only_root_can(place: Path, nobody: int) -> None:
    folder = {"path": f"{place}/log", "state": "directory", "owner": str(nobody), "mode": "0750"}
    assert run(folder)[0]["changed"]
    assert ((place / "log").stat().st_uid, stat.S_IMODE((place / "log").stat().st_mode)) == (
        nobody,
        0o750,
    )
    # what is in it is the account's, and written as it
    assert run(folder, {"path": f"{place}/log/a", "content": "x"})[0]["changed"]
    assert (place / "log/a").stat().st_uid == nobody


def test_all_or_nothing_over_two_accounts(place: Path, home: Path) -> None:
    (home / "locked").mkdir(mode=0o755)  # root's, in the account's home
    with pytest.raises(Exception, match=r"locked/x could not be changed \(write\).*were restored"):
        run(
            {"path": f"{place}/first", "content": "x"},
            {"path": f"{home}/second", "content": "x"},
            {"path": f"{home}/locked/x", "content": "x"},
        )
    assert not (place / "first").exists()
    assert not (home / "second").exists()


@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_something_else_in_the_place_of_a_file(home: Path, what: str) -> None:
    path = home / "file"
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    words = "neither a file nor a folder" if what == "pipe" else "is a folder, not a file"
    with pytest.raises(FilesRefusedError, match=words):
        run({"path": str(path), **BLOCK})


def test_entries_of_ours_come_and_go_with_the_account_s_rights(home: Path, nobody: int) -> None:
    group = account_of(nobody).gid
    entry = {
        "path": f"{home}/app.json",
        "record": f"{home}/record.json",
        "owner": str(nobody),
        "group": str(group),
    }
    assert run({**entry, **MERGE})[0]["changed"]
    assert json.loads((home / "app.json").read_text()) == {"a": 1}
    for name in ("app.json", "record.json"):
        status = (home / name).stat()
        assert (status.st_uid, status.st_gid) == (nobody, group)
        assert stat.S_IMODE(status.st_mode) == 0o600
    assert not run({**entry, **MERGE})[0]["changed"]
    assert run({**entry, "merge": []})[0]["changed"]
    assert list(home.iterdir()) == []


def test_files_come_with_their_folders_in_one_run(home: Path, nobody: int) -> None:
    folder = {"path": f"{home}/app", "state": "directory", "owner": str(nobody)}
    entries = (
        folder,
        {"path": f"{home}/app/a.json", "record": f"{home}/app/record", **MERGE},
        {"path": f"{home}/app/b", **BLOCK},
        {"path": f"{home}/app/c", "line": "ours"},
    )
    for check in (True, False):
        result, warnings = run(*entries, check=check)
        assert warnings == []
        assert all(file["changed"] for file in result["files"])
    assert sorted(path.name for path in (home / "app").iterdir()) == ["a.json", "b", "c", "record"]
    assert not run(*entries)[0]["changed"]


def test_a_dangling_link_of_the_account_is_its_own_choice(home: Path) -> None:
    (home / "file").symlink_to("made")
    run({"path": f"{home}/file", **BLOCK})
    assert (home / "made").read_text().startswith("# BEGIN")

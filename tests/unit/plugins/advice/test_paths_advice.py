# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a module cannot write or read: each command, from the state that gave its sentence."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.accounts import account_of
from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Rights,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files import (
    apply as apply_module,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.apply import (
    FilesNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.models import store
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import found
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import run as settings
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import (
    UntrustedPathError,
    open_folder,
)
from tests.unit.plugins.advice.pasted import acting_as, commands, lock, paste, unlock_all

OTHER = 12345


@pytest.fixture(autouse=True)
def unlocked(place: Path) -> Iterator[None]:
    yield
    unlock_all(place)


# --- what only root may change --------------------------------------------------------------------


def anothers(folder: Path) -> None:
    os.chown(folder, OTHER, OTHER)


def anothers_and_open(folder: Path) -> None:
    os.chown(folder, OTHER, OTHER)
    folder.chmod(0o777)


def open_to_all(folder: Path) -> None:
    folder.chmod(0o757)


def open_to_a_group(folder: Path) -> None:
    os.chown(folder, 0, 65534)  # nobody's own group
    folder.chmod(0o775)


def a_link(folder: Path) -> None:
    (folder / "deep").rmdir()
    folder.rmdir()
    folder.symlink_to("/")


FOLDERS = [anothers, anothers_and_open, open_to_all, open_to_a_group, a_link]


@pytest.mark.parametrize("put", FOLDERS, ids=lambda put: put.__name__)
def test_a_folder_that_root_does_not_trust_becomes_one(
    place: Path, put: Callable[[Path], None]
) -> None:
    folder = place / "some tools"
    (folder / "deep").mkdir(parents=True)
    put(folder)
    with pytest.raises(UntrustedPathError) as raised:
        open_folder(str(folder / "deep"))
    [command] = commands(str(raised.value.strerror))
    paste(command)
    (folder / "deep").mkdir(exist_ok=True)
    os.close(open_folder(str(folder / "deep")))


@pytest.mark.parametrize("put", [anothers, anothers_and_open, open_to_all, open_to_a_group])
def test_a_folder_above_a_file_of_root_s_gets_an_owner_that_is_there(
    place: Path, put: Callable[[Path], None]
) -> None:
    folder = place / "some tools"
    (folder / "deep").mkdir(parents=True)
    put(folder)
    told: list[str] = []
    with account_processes() as processes:
        while len(told) < 4:
            try:
                rights = processes.for_path(f"{folder}/deep/file")
                break
            except UntrustedPathError as error:
                told.append(str(error.strerror))
                [command] = commands(told[-1])
                paste(command)
        assert rights.uid == 0
    assert len(told) == (2 if put is anothers_and_open else 1)


def test_what_an_account_runs_is_shown(nobody: int) -> None:
    rights = Rights(account_of(nobody), timeout_s=0.2)
    try:
        with pytest.raises(ActingError) as raised:
            rights.call(time.sleep, 30)
        [command] = commands(str(raised.value))
        assert len(paste(command).splitlines()) > 1
    finally:
        rights.close()


# --- files that are managed -----------------------------------------------------------------------


def run(path: Path, **entry: Any) -> dict[str, Any]:
    files = [{"path": str(path), "content": "ours\n", **entry}]
    return execute({"files": files}, Runner(), "/tmp", False)[0]


@pytest.mark.parametrize("whose", ["root", "account"])
@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_in_place_of_a_file_is_moved_away(
    place: Path, home: Path, whose: str, what: str
) -> None:
    path = (home if whose == "account" else place) / "my file"
    path.mkdir() if what == "folder" else os.mkfifo(path)
    with pytest.raises(FilesRefusedError) as raised:
        run(path)
    [command] = commands(str(raised.value))
    paste(command)
    assert run(path)["changed"]
    assert path.with_name("my file.aside").exists()


@pytest.mark.parametrize("whose", ["root", "account"])
@pytest.mark.parametrize("locked", ["file", "folder", "folder without the file"])
def test_what_is_locked_is_shown_and_unlocked(
    place: Path, home: Path, nobody: int, whose: str, locked: str
) -> None:
    folder = (home if whose == "account" else place) / "my files"
    folder.mkdir()
    path = folder / "file"
    if locked != "folder without the file":
        path.write_text("older\n")
    for one in (folder, path) if path.exists() else (folder,):
        os.chown(one, nobody if whose == "account" else 0, -1)
    lock(path if locked == "file" else folder)
    with pytest.raises(FilesNotWrittenError) as raised:
        run(path)
    look, unlock = commands(str(raised.value))
    assert str(folder) in paste(look)
    paste(unlock)
    assert run(path)["changed"]


def test_what_is_full_is_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_step: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (place / "a b").mkdir()
    monkeypatch.setitem(apply_module.DO, "write", full)
    with pytest.raises(FilesNotWrittenError) as raised:
        run(place / "a b/file")
    [command] = commands(str(raised.value))
    assert "Avail" in paste(command, LC_ALL="C")


def test_a_file_that_leads_to_one_of_root_s_is_shown(place: Path, home: Path) -> None:
    (place / "closed").write_text("root's")
    (place / "closed").chmod(0o600)
    (home / "my file").symlink_to(place / "closed")
    with pytest.raises(FilesRefusedError) as raised:
        execute({"files": [{"path": f"{home}/my file", "line": "ours"}]}, Runner(), "/tmp", False)
    [command] = commands(str(raised.value))
    assert paste(command).rstrip().endswith(f"my file -> {place}/closed")


# --- files of the server --------------------------------------------------------------------------


def test_settings_that_cannot_be_read_are_shown(place: Path, nobody: int) -> None:
    path = place / "my settings.json"
    path.write_text("{}")
    path.chmod(0o600)
    with acting_as(nobody), pytest.raises(found.SettingsNotWrittenError) as raised:
        found.found(path)
    [command] = commands(str(raised.value))
    assert paste(command).startswith("-rw------- 1 root root ")


def test_settings_that_cannot_be_written_are_shown(place: Path, nobody: int) -> None:
    (place / "my omlx").mkdir()
    nothing, mine = found.Found(None, None), found.Owner(None, None)
    with acting_as(nobody), pytest.raises(found.SettingsNotWrittenError) as raised:
        settings._write(place / "my omlx/settings.json", b"{}", nothing, mine)
    [command] = commands(str(raised.value))
    assert "root root" in paste(command)


def test_a_lock_of_another_s_is_shown(place: Path, nobody: int) -> None:
    folder = place / "my models"
    folder.mkdir()
    (folder / store.LOCK_NAME).touch(0o600)
    with acting_as(nobody), pytest.raises(ModelError) as raised:
        store._open_lock(folder)
    [command] = commands(str(raised.value))
    assert "root root" in paste(command)


def test_a_lock_that_is_no_file_is_removed(place: Path) -> None:
    folder = place / "my models"
    folder.mkdir()
    os.mkfifo(folder / store.LOCK_NAME)
    with pytest.raises(ModelError) as raised:
        store._open_lock(folder)
    [command] = commands(str(raised.value))
    paste(command)
    os.close(store._open_lock(folder))

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has given up root: what it may, what it tells, and how it ends."""

from __future__ import annotations

import os
import pickle
import signal
import time
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils import acting
from ansible_collections.closet.inference.plugins.module_utils.accounts import account_of
from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Processes,
    Rights,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.files import read_file
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError


def identity() -> tuple[int, int, int, list[int]]:
    return os.getuid(), os.geteuid(), os.getgid(), os.getgroups()


def regain() -> None:
    os.setuid(0)


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    time.sleep(60)


def unknown() -> object:
    return Path("/a")


def fail() -> None:
    raise UntrustedPathError("/a", "because")


def test_root_is_gone_for_good(attacker: Rights, nobody: int) -> None:
    account = account_of(nobody)
    assert attacker.call(identity) == (nobody, nobody, account.gid, list(account.groups))
    with pytest.raises(PermissionError):
        attacker.call(regain)


def test_the_kernel_refuses_what_the_account_could_not_read(
    attacker: Rights, place: Path, home: Path
) -> None:
    (place / "secret").write_text("root's")
    (place / "secret").chmod(0o600)
    (home / "link").symlink_to(place / "secret")
    with pytest.raises(PermissionError):
        attacker.call(Path.read_bytes, home / "link")
    assert (home / "link").read_text() == "root's"  # root itself would have followed


def test_errors_come_back_with_their_words(attacker: Rights) -> None:
    with pytest.raises(UntrustedPathError) as told:
        attacker.call(fail)
    assert (told.value.filename, told.value.strerror) == ("/a", "because")
    with pytest.raises(FileNotFoundError) as missing:
        attacker.call(read_file, "/not/there")
    assert missing.value.strerror == "No such file or directory"


def test_a_process_that_is_killed_is_an_error(attacker: Rights) -> None:
    with pytest.raises(ActingError, match="of nobody ended with signal 9"):
        attacker.call(kill_myself)


def test_a_process_that_hangs_is_given_up(nobody: int) -> None:
    rights = Rights(account_of(nobody), timeout_s=0.2)
    with pytest.raises(ActingError, match="did not answer in 0 s; see what that account runs"):
        rights.call(hang)
    rights.close()


def test_a_pipe_in_place_of_a_file_is_not_waited_for(attacker: Rights, home: Path) -> None:
    os.mkfifo(home / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        attacker.call(read_file, home / "pipe")


def test_only_plain_values_are_taken_from_it(attacker: Rights) -> None:
    with pytest.raises(ActingError, match="is not an answer"):
        attacker.call(unknown)
    evil = pickle.dumps((True, os.system))
    with pytest.raises(pickle.UnpicklingError, match="is not an answer"):
        acting._load(evil)


def test_each_path_has_its_own_rights(place: Path, home: Path, nobody: int) -> None:
    (place / "shared").mkdir()
    (place / "shared").chmod(0o777)
    with account_processes() as processes:
        assert processes.for_path(f"{place}/root.txt").uid == 0
        assert processes.for_path(f"{home}/a/b").uid == nobody
        assert processes.for_path(f"{home}/a/b") is processes.for_path(f"{home}/c")
        assert processes.for_path(f"{place}/shared/a", owner=nobody).uid == nobody
        with pytest.raises(UntrustedPathError, match="every account can change"):
            processes.for_path(f"{place}/shared/a")


def test_a_folder_of_an_account_that_is_gone(place: Path) -> None:
    (place / "old").mkdir()
    os.chown(place / "old", 54321, -1)
    with pytest.raises(UntrustedPathError, match="no account of this host has that number"):
        Processes().for_path(f"{place}/old/file")


# --- what root runs ------------------------------------------------------------------------------


def script(path: Path, text: str = "#!/bin/sh\nid -u\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_root_runs_nothing_that_others_can_change(place: Path, home: Path) -> None:
    ours, theirs = script(place / "tool"), script(home / "tool")
    assert Runner().run([str(ours)]).stdout == "0\n"
    done = Runner().run([str(theirs)])
    assert (done.rc, done.stdout) == (126, "")
    assert f"root does not run {theirs}: nobody can change {home}" in done.stderr
    # found in a folder of the path, or behind a link
    assert Runner().run(["tool"], env={"PATH": str(home)}).rc == 126
    (place / "link").symlink_to(theirs)
    assert Runner().run([str(place / "link")]).rc == 126


def test_it_runs_with_the_rights_of_its_account(home: Path, nobody: int) -> None:
    text = "#!/bin/sh\nid -u; id -G; echo $HOME\n"
    account = account_of(nobody)
    done = Runner().acting_as(account).run([str(script(home / "tool", text))])
    groups = " ".join(map(str, account.groups))
    assert done.stdout == f"{nobody}\n{groups}\n{account.home}\n"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and files, for real."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.files import (
    remove_file,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner


@pytest.mark.parametrize(
    ("argv", "rc", "stdout"),
    [
        (["sh", "-c", "echo $LC_ALL; exit 3"], 3, "C\n"),
        (["sh", "-c", "kill -TERM $$"], -15, ""),
        (["sh", "-c", 'echo "$1"', "sh", "a  b;c"], 0, "a  b;c\n"),
        (["/nonexistent/program"], 127, ""),
        (["/etc/passwd"], 126, ""),
        (["sh", "-c", r"printf '\377'"], 0, "\ufffd"),
    ],
    ids=["locale and code", "signal", "no shell", "missing", "not executable", "not UTF-8"],
)
def test_a_command_is_told_as_it_ended(argv: list[str], rc: int, stdout: str) -> None:
    result = Runner().run(argv)
    assert (result.argv, result.rc, result.stdout) == (tuple(argv), rc, stdout)
    assert not result.timed_out


def test_a_command_gets_input_and_variables() -> None:
    result = Runner().run(["sh", "-c", 'read a; echo "$a $B"'], input="one\n", env={"B": "two"})
    assert result.stdout == "one two\n"


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    result = Runner().run(["sh", "-c", "echo begun; sleep 60 & sleep 60"], timeout_s=0.2)
    assert (result.rc, result.timed_out, result.stdout) == (124, True, "begun\n")


def test_time_goes_on() -> None:
    runner = Runner()
    before = runner.now()
    runner.sleep(0.01)
    runner.sleep(-1)
    assert runner.now() - before >= 0.01


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    write_atomic(path, b"new", 0o640, os.getuid(), os.getgid())
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"new", 0o640)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert (link.is_symlink(), target.read_text()) == (False, "old")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("knows_it", [True, False])
def test_on_a_mac_the_drive_s_own_cache_is_emptied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows_it: bool
) -> None:
    """fsync(2) of macOS stops at the drive; F_FULLFSYNC does not, where the file system has it."""
    asked: list[str] = []

    def full(_descriptor: int, command: int) -> int:
        assert command == 51
        asked.append("F_FULLFSYNC")
        if not knows_it:
            raise OSError(45, "Operation not supported")
        return 0

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: asked.append("fsync"))
    write_atomic(tmp_path / "a", b"new")
    assert asked == (["F_FULLFSYNC"] * 2 if knows_it else ["F_FULLFSYNC", "fsync"] * 2)


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    assert [remove_file(path), remove_file(path)] == [True, False]

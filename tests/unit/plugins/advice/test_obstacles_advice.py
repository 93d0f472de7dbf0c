# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the way below a home, or in a shell's PATH: the commands take it away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import person
from ansible_collections.closet.inference.plugins.plugin_utils.probe.obstacles import errors
from tests.unit.plugins.advice.pasted import commands, lock, paste, unlock_all
from tests.unit.plugins.privileges.test_obstacles import look


@pytest.fixture
def theirs(home: Path, nobody: int) -> Iterator[Path]:
    """A home with a folder of its user in it, below a path that a shell would cut."""
    real = home.rename(home.parent / "my home")
    (real / ".config").mkdir()
    os.chown(real / ".config", nobody, nobody)
    yield real
    unlock_all(real)


def judged(home: Path, uid: int) -> list[str]:
    return errors("air", "nobody", look(home, uid), is_linux=True)


def dangling(home: Path, _uid: int) -> None:
    (home / ".config/closet").symlink_to("/Volumes/gone")


def a_file_for_a_folder(home: Path, uid: int) -> None:
    (home / ".omlx").write_text("kept")
    os.chown(home / ".omlx", uid, uid)


def a_folder_for_a_file(home: Path, _uid: int) -> None:
    (home / ".zshenv").mkdir()


def closed(home: Path, _uid: int) -> None:
    (home / ".config/opencode").mkdir(mode=0o755)


def closed_within_closed(home: Path, _uid: int) -> None:
    (home / ".omlx/store/deep").mkdir(parents=True)
    (home / ".omlx/settings.json").mkdir()


def unreadable(home: Path, _uid: int) -> None:
    (home / ".claude.json").write_text("root's")
    (home / ".claude.json").chmod(0o600)


def locked(home: Path, uid: int) -> None:
    (home / ".bashrc").write_text("theirs")
    os.chown(home / ".bashrc", uid, uid)
    lock(home / ".bashrc")


def locked_with_more_in_it(home: Path, uid: int) -> None:
    dangling(home, uid)
    lock(home / ".config")


STATES = [
    dangling,
    a_file_for_a_folder,
    a_folder_for_a_file,
    closed,
    closed_within_closed,
    unreadable,
    locked,
    locked_with_more_in_it,
]


@pytest.mark.parametrize("put", STATES, ids=lambda put: put.__name__)
def test_the_commands_of_the_sentences_leave_nothing_in_the_way(
    theirs: Path, nobody: int, put: Callable[[Path, int], None]
) -> None:
    put(theirs, nobody)
    before = sum(1 for _ in theirs.rglob("*"))
    found = judged(theirs, nobody)
    assert found
    for sentence in found:
        for command in commands(sentence):
            paste(command)
    assert judged(theirs, nobody) == []
    assert sum(1 for _ in theirs.rglob("*")) == before, "moved, not removed"


# --- a program of the person's own ----------------------------------------------------------------


@pytest.mark.parametrize("writes", [True, False])
def test_the_other_opencode_is_moved_away(place: Path, nobody: int, writes: bool) -> None:
    folder = place / "their tools"
    folder.mkdir()
    os.chown(folder, nobody if writes else 0, -1)
    (folder / "opencode").write_text("#!/bin/sh\n")
    seen = person.Person("nobody", shell="/bin/sh", other=f"{folder}/opencode", writes=writes)
    [sentence] = person.warnings("air", seen, "1.18.33")
    *_, move = commands(sentence)
    assert move.startswith("sudo ") != writes
    paste(move)
    assert [path.name for path in folder.iterdir()] == ["opencode.other"]


@pytest.mark.parametrize("shell", ["tcsh", "csh", "fish"])
def test_the_line_for_a_shell_lets_it_find_our_folder(
    tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "tcsh" if shell == "csh" else shell  # csh is tcsh on a Mac, and reads .cshrc too
    seen = person.Person("kim", shell=f"/bin/{shell}", reaches=False)
    [sentence] = person.warnings("air", seen, "")
    *_, line = commands(sentence)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    words = 'echo "$PATH" | tr " " ":"' if shell == "fish" else "printenv PATH"
    ask = f"{program} -c '{words}'"
    assert "/usr/local/bin" not in paste(ask)
    typed = line.replace("'", "'\\''")
    paste(f"{program} -c '{typed}'")
    assert "/usr/local/bin" in paste(ask).strip().split(":")

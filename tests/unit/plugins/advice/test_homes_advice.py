# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home that is refused: the commands of the sentence, from the state that gave it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import homes, script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
)
from tests.unit.plugins.advice.pasted import commands, lock, paste, unlock_all

OTHER = 12345
# The way to a home, without the rest of the script.
SHELL = script.FACTS[: script.FACTS.index("# Room where modules")] + script.END


@pytest.fixture
def users(place: Path, nobody: int) -> Iterator[Path]:
    """A folder of homes, with a right one in it."""
    folder = place / "some users"
    (folder / "kim").mkdir(parents=True)
    os.chown(folder / "kim", nobody, nobody)
    folder.chmod(0o755)
    (folder / "kim").chmod(0o750)
    yield folder
    unlock_all(place)


def judged(home: Path, uid: int) -> list[str]:
    done = subprocess.run(
        ["/bin/sh"],
        input=SHELL,
        env={"HOME": str(home)},
        user=uid,
        group=uid,
        extra_groups=[],
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    seen = parse(done.stdout)
    assert seen.places
    return homes.errors("attic", seen.places, is_linux=True)


def nothing(home: Path) -> None:
    home.rmdir()


def a_file(home: Path) -> None:
    home.rmdir()
    home.write_text("kept")


def anothers(home: Path) -> None:
    os.chown(home, OTHER, OTHER)


def open_to_the_group(home: Path) -> None:
    home.chmod(0o770)


def open_to_all(home: Path) -> None:
    home.chmod(0o757)


def closed(home: Path) -> None:
    home.chmod(0o050)


def in_an_open_folder(home: Path) -> None:
    home.parent.chmod(0o777)


def moved(home: Path) -> Path:
    """The home on another volume, behind root's link."""
    volume = home.parent.parent / "big volume"
    volume.mkdir()
    home.rename(volume / "kim")
    home.symlink_to(volume / "kim")
    return volume


def by_anothers_link(home: Path) -> None:
    moved(home)
    os.chown(home, OTHER, OTHER, follow_symlinks=False)


def by_a_link_in_anothers_folder(home: Path) -> None:
    moved(home)
    os.chown(home.parent, OTHER, OTHER)
    home.parent.chmod(0o775)


def by_a_link_to_nothing(home: Path) -> None:
    (moved(home) / "kim").rmdir()


def behind_a_link_and_open(home: Path) -> None:
    (moved(home) / "kim").chmod(0o777)


def all_at_once(home: Path) -> None:
    by_a_link_in_anothers_folder(home)
    os.chown(home, OTHER, OTHER, follow_symlinks=False)
    os.chown(home.resolve(), OTHER, OTHER)
    home.resolve().chmod(0o077)
    home.resolve().parent.chmod(0o777)


STATES = [
    nothing,
    a_file,
    anothers,
    open_to_the_group,
    open_to_all,
    closed,
    lock,
    in_an_open_folder,
    by_anothers_link,
    by_a_link_in_anothers_folder,
    by_a_link_to_nothing,
    behind_a_link_and_open,
    all_at_once,
]


@pytest.mark.parametrize("put", STATES, ids=lambda put: put.__name__)
def test_the_commands_of_the_sentence_make_a_home_that_is_right(
    users: Path, nobody: int, put: Callable[[Path], None]
) -> None:
    home = users / "kim"
    assert judged(home, nobody) == []
    put(home)
    told: list[str] = []
    while found := judged(home, nobody):
        assert found[0] not in told, "the commands have not helped"
        told += found
        for command in commands(found[0]):
            paste(command)
    assert told
    assert (len(told) > 1) == (put is all_at_once)


def test_what_was_in_place_of_the_home_is_kept(users: Path, nobody: int) -> None:
    home = users / "kim"
    a_file(home)
    (users / "kim.old").write_text("older")
    [found] = judged(home, nobody)
    move, *_ = commands(found)
    paste(f"{move} || true")  # what mv says of a name that is taken differs by version
    assert (home.read_text(), (users / "kim.old").read_text()) == ("kept", "older")

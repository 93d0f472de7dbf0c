# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can change what a path leads to: root executes only what root alone can change.

A path leads through folders and symbolic links to a file, and whoever can write one of them decides
what is executed. The administrator who ran sudo counts as root: nothing keeps that account from
being root, and on most Macs Homebrew is its own.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_LINKS = 40
WHEEL = 0
ADMIN_OF_MACOS = 80  # its members may use sudo for everything


@dataclass(frozen=True)
class Step:
    """A folder, a link or the file itself on the way to a file."""

    path: str
    uid: int
    gid: int
    mode: int

    @property
    def is_open(self) -> bool:
        """Whether any account can change it; the mode of a link says nothing."""
        return not stat.S_ISLNK(self.mode) and bool(self.mode & stat.S_IWOTH)

    @property
    def is_shared(self) -> bool:
        """Whether a group that is not of administrators can change it."""
        trusted = {WHEEL, ADMIN_OF_MACOS} if sys.platform == "darwin" else {WHEEL}
        shared = bool(self.mode & stat.S_IWGRP) and not stat.S_ISLNK(self.mode)
        return shared and self.gid not in trusted


def steps(path: str) -> Iterator[Step]:
    """Every step on the way, from `/` on, through the links; OSError where it ends too early."""
    todo = _parts(path)
    done = "/"
    links = 0
    yield _step("/")
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = os.path.dirname(done)  # noqa: PTH120
            continue
        done_part = os.path.join(done, part)  # noqa: PTH118
        step = _step(done_part)
        yield step
        if not stat.S_ISLNK(step.mode):
            done = done_part
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(40, "too many symbolic links", path)
        target = os.readlink(done_part)  # noqa: PTH115
        done = "/" if target.startswith("/") else done
        todo = _parts(target) + todo


def administrators() -> frozenset[int]:
    """Root, and the account that became root by sudo."""
    given = os.environ.get("SUDO_UID", "")
    return frozenset({0, os.geteuid(), *([int(given)] if given.isdigit() else [])})


def objection(path: str, trusted: frozenset[int]) -> str:
    """Why root may not execute what `path` leads to; empty when it may, or nothing is there."""
    try:
        for step in steps(path):
            # who owns a link cannot change it: that takes the folder around it
            if step.uid not in trusted and not stat.S_ISLNK(step.mode):
                return f"{step.path} belongs to user {step.uid}, who is not an administrator"
            if step.is_open or step.is_shared:
                return f"{step.path} can be changed by others (mode {stat.S_IMODE(step.mode):04o})"
    except FileNotFoundError:
        return ""  # and nobody but root can put something there: every step so far was safe
    except OSError as error:
        return f"{error.filename or path}: {error.strerror}"
    return ""


def safe_folders(folders: Sequence[str], programs: Sequence[str]) -> list[str]:
    """Those of a PATH in which nobody but root decides what `programs` are, and which exist."""
    trusted = administrators()
    return [
        folder
        for folder in folders
        if os.path.isdir(folder)  # noqa: PTH112
        and not objection(folder, trusted)
        and not any(objection(found, trusted) for found in _found(folder, programs))
    ]


def _found(folder: str, programs: Sequence[str]) -> list[str]:
    names = sorted(os.listdir(folder))  # noqa: PTH208
    return [os.path.join(folder, name) for name in names if name.startswith(tuple(programs))]  # noqa: PTH118


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _step(path: str) -> Step:
    found = os.lstat(path)
    return Step(path, found.st_uid, found.st_gid, found.st_mode)

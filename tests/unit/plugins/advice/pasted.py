# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a sentence, run as a person pastes them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def commands(sentence: str) -> list[str]:
    """What stands in backticks, in the order of the sentence."""
    found = re.findall(r"`([^`]+)`", sentence)
    assert found, sentence
    return found


def paste(command: str, **environment: str) -> str:
    """Run one command and return what it says; it has to end well."""
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """What this process does meanwhile, it does with the rights of an account."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def lock(path: Path) -> None:
    """Make a path immutable; the command of a sentence unlocks it, or the test's end does."""
    subprocess.run(["chattr", "+i", path], check=True)


def unlock_all(place: Path) -> None:
    """What a test that failed has left locked."""
    with suppress(OSError):
        subprocess.run(["chattr", "-R", "-f", "-i", place], check=False)

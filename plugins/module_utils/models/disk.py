# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk below the models."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    PART_SUFFIX,
    ModelError,
)


class StepError(OSError):
    """An OSError with its own path. `doing` completes a sentence: "… while a file was written"."""

    def __init__(self, error: OSError, doing: str, path: Path) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))
        self.doing = doing


@contextmanager
def step(doing: str, path: Path) -> Iterator[None]:
    """Give errors from here on this path, unless an inner step already did."""
    try:
        yield
    except StepError:
        raise
    except OSError as error:
        raise StepError(error, doing, path) from error


GB = 1000**3


def in_gb(size: int) -> str:
    return f"{size / GB:.2f} GB" if size >= GB / 100 else f"{size / 1000**2:.2f} MB"


def part_path(final: Path) -> Path:
    return final.with_name(final.name + PART_SUFFIX)


def journal_path(final: Path) -> Path:
    return final.with_name(final.name + JOURNAL_SUFFIX)


def free_bytes(store: Path) -> int:
    """What an ordinary user may still write on the store's disk."""
    return shutil.disk_usage(existing_ancestor(store)).free


def existing_ancestor(path: Path) -> Path:
    for candidate in (path, *path.parents):
        if candidate.exists():
            return candidate
    return Path("/")


def check_places(folder: Path, paths: Iterable[str]) -> None:
    """No folder stands where a file belongs, nor a file on the way to it: said before any byte."""
    for path in paths:
        final = folder / path
        for place in (final, part_path(final), journal_path(final)):
            if _is(stat.S_ISDIR, place):
                raise _in_the_way(place, "a folder", "a file")
        check_way(final.parent)


def check_way(folder: Path) -> None:
    """Each part of the path to a folder is one, as far as it is there."""
    for place in (folder, *folder.parents):
        if _is(stat.S_ISDIR, place):
            return
        if _is(stat.S_ISREG, place):
            raise _in_the_way(place, "a file", "a folder")


def _in_the_way(place: Path, found: str, wanted: str) -> ModelError:
    quoted = shlex.quote(str(place))
    return ModelError(
        f"{place} is {found}, and {wanted} of the models belongs there. Move it away and run "
        f"again: `mv -n {quoted} {quoted}.away`"
    )


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Of what a path leads to; one that cannot be looked at is no kind."""
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def check_writable(folders: Iterable[Path]) -> None:
    """Each folder, or the nearest one above it that exists, takes new files from us."""
    effective = os.access in os.supports_effective_ids
    for folder in folders:
        place = existing_ancestor(folder)
        if not place.is_dir():
            raise ModelError(f"{place} is not a folder; {folder} cannot be made there.")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=effective):
            raise ModelError(
                f"uid {os.geteuid()} may not write into {place}, where the models go. Look "
                f"at it with: `ls -lde {shlex.quote(str(place))}`"
            )


def explain_os_error(error: OSError, doing: str, store: Path) -> ModelError:
    """A sentence with the error's own path, and what was being done as far as that is known."""
    where = error.filename2 or error.filename
    where = where if isinstance(where, str) and Path(where).is_absolute() else str(store)
    if isinstance(error, StepError):
        doing = error.doing
    look = f"Look at it with: `ls -lde {shlex.quote(where)}`"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ModelError(
            f"the disk of {store} is full ({in_gb(free_bytes(store))} free) while {doing}. What "
            "has arrived is kept; free some room and run again."
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ModelError(
            f"{where} may not be written by uid {os.geteuid()} while {doing}: "
            f"{error.strerror}. {look}"
        )
    return ModelError(f"{where}: {error.strerror or error}, while {doing}. {look}")

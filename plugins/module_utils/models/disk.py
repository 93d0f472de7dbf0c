# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths, free space and errors of the disk that holds the models.

An OSError often lacks its path: one from a descriptor has a number or nothing, one from an open
folder a bare name, and one from rename(2) the source first. step() adds the path and the current
operation; explain_os_error() turns both into a sentence.
"""

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

GB = 1000**3


class StepError(OSError):
    """An OSError with its own path. `doing` completes a sentence: "… while writing a download"."""

    def __init__(self, error: OSError, doing: str, path: Path) -> None:
        super().__init__(error.errno, error.strerror or str(error), str(path))
        self.doing = doing


@contextmanager
def step(doing: str, path: Path) -> Iterator[None]:
    """Give an OSError from this block its path and operation; an inner step() takes precedence."""
    try:
        yield
    except StepError:
        raise
    except OSError as error:
        raise StepError(error, doing, path) from error


def in_gb(size: int) -> str:
    return f"{size / GB:.2f} GB" if size >= GB / 100 else f"{size / 1000**2:.2f} MB"


def part_path(final: Path) -> Path:
    return final.with_name(final.name + PART_SUFFIX)


def journal_path(final: Path) -> Path:
    return final.with_name(final.name + JOURNAL_SUFFIX)


def free_bytes(store: Path) -> int:
    """Free space of the store's disk for an account without special rights."""
    return shutil.disk_usage(existing_ancestor(store)).free


def existing_ancestor(path: Path) -> Path:
    for candidate in (path, *path.parents):
        if candidate.exists():
            return candidate
    return Path("/")


def check_places(folder: Path, paths: Iterable[str]) -> None:
    """Refuse a folder in the place of a file, or a file in the place of a folder above it."""
    for path in paths:
        final = folder / path
        for place in (final, part_path(final), journal_path(final)):
            if _is(stat.S_ISDIR, place):
                raise _in_the_way(place, "a folder", "a file")
        check_way(final.parent)


def check_way(folder: Path) -> None:
    """Refuse a path to a folder if an existing part of it is a file."""
    for place in (folder, *folder.parents):
        if _is(stat.S_ISDIR, place):
            return
        if _is(stat.S_ISREG, place):
            raise _in_the_way(place, "a file", "a folder")


def _in_the_way(place: Path, found: str, wanted: str) -> ModelError:
    quoted = shlex.quote(str(place))
    return ModelError(
        f"{place} is {found}, but the models need {wanted} there. Move it away and run "
        f"again: `mv -n {quoted} {quoted}.away`"
    )


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Whether the target of a path is of a kind; False if it cannot be read."""
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def check_writable(folders: Iterable[Path]) -> None:
    """Refuse folders in which this account cannot create files; checks the nearest existing one."""
    effective = os.access in os.supports_effective_ids
    for folder in folders:
        place = existing_ancestor(folder)
        if not place.is_dir():
            raise ModelError(f"{place} is not a folder; {folder} cannot be created there.")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=effective):
            raise ModelError(
                f"uid {os.geteuid()} may not write to {place}, the place of the models. Check its "
                f"permissions: `ls -lde {shlex.quote(str(place))}`"
            )


def explain_os_error(error: OSError, doing: str, store: Path) -> ModelError:
    """A sentence with the error's own path, and the operation that failed, as far as known."""
    where = error.filename2 or error.filename
    where = where if isinstance(where, str) and Path(where).is_absolute() else str(store)
    if isinstance(error, StepError):
        doing = error.doing
    check = f"Check it with: `ls -lde {shlex.quote(where)}`"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ModelError(
            f"the disk of {store} is full ({in_gb(free_bytes(store))} free) while {doing}. The "
            "bytes that arrived are kept; free some space and run again."
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ModelError(
            f"{where} may not be written by uid {os.geteuid()} while {doing}: "
            f"{error.strerror}. {check}"
        )
    return ModelError(f"{where}: {error.strerror or error}, while {doing}. {check}")

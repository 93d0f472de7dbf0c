# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import Union

AnyPath = Union[str, "os.PathLike[str]"]


def write_atomic(
    path: AnyPath,
    data: bytes,
    mode: int = 0o644,
    uid: int | None = None,
    gid: int | None = None,
    lasting: bool = True,
) -> None:
    """Put `data` at `path` in one step that also survives a power cut.

    The new file is complete, with its mode and owner, and on the disk before it takes the name;
    the folder is written out afterwards. `uid` and `gid` None leave our own. A symbolic link at
    `path` is replaced, not followed. Raises OSError and leaves nothing behind. `lasting` False is
    for what nobody needs after a power cut: the step is the same, the disk is not waited for.
    """
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if uid is not None or gid is not None:
                os.fchown(stream.fileno(), -1 if uid is None else uid, -1 if gid is None else gid)
            os.fchmod(stream.fileno(), mode)  # after fchown, which may clear mode bits
            if lasting:
                sync_to_disk(stream.fileno())
        os.replace(temporary, target)  # noqa: PTH105 - the word for it in every man page
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    if lasting:
        sync_folder(target.parent)


def remove_file(path: AnyPath) -> bool:
    """Remove `path` so that it stays removed after a power cut; False when it was not there."""
    target = Path(path)
    try:
        target.unlink()
    except FileNotFoundError:
        return False
    sync_folder(target.parent)
    return True


def sync_folder(folder: AnyPath) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_to_disk(descriptor)
    finally:
        os.close(descriptor)


def sync_to_disk(descriptor: int) -> None:
    """Bring what was written to the disk itself, so that it survives a power cut.

    macOS's fsync(2) leaves the data in the drive's own cache; F_FULLFSYNC of fcntl(2) is what
    empties that. A file system that does not know it (a network volume) gets the plain one.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)

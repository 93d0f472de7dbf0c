# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic writes: a file is either the old one or the new one, whatever happens in between.

Each function opens the parent folder of the path and works relative to it. Root opens only folders
that only root can change, see trusted.py. Any other account follows its own links.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import posixpath
import secrets
import stat
from collections.abc import Iterator
from typing import Union

from ansible_collections.closet.inference.plugins.module_utils import trusted

AnyPath = Union[str, "os.PathLike[str]"]

# What we edit or compare is text that people and apps keep; more is a mistake, or meant to harm.
LARGEST_BYTES = 256 << 20


@contextlib.contextmanager
def folder_of(path: AnyPath, anywhere: bool = False) -> Iterator[tuple[int, str]]:
    """A descriptor of the folder that holds `path`, and the name in it.

    `anywhere` is for the controller, whose folders belong to the person who runs Ansible there.
    Raises trusted.UntrustedPathError, an OSError, where another account could lead root astray.
    """
    folder, name = posixpath.split(os.fspath(path))
    if os.geteuid() == 0 and not anywhere:
        descriptor = trusted.open_folder(os.path.abspath(folder))  # noqa: PTH100 - no links followed
    else:
        descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor, name
    finally:
        os.close(descriptor)


def write_atomic(
    path: AnyPath,
    data: bytes,
    mode: int = 0o644,
    uid: int | None = None,
    gid: int | None = None,
    lasting: bool = True,
    anywhere: bool = False,
) -> None:
    """Put `data` at `path` in one step that also survives a power cut.

    The new file is complete, with its mode and owner, and on the disk before it gets the name.
    The folder is synchronised afterwards. `uid` and `gid` None mean those of this process. A
    symbolic link at `path` is replaced, not followed. Raises OSError and leaves nothing behind.
    `lasting` False is for files that are useless after a power cut: the step is the same, but it
    does not wait for the disk.
    """
    with folder_of(path, anywhere) as (folder, name):
        temporary = _beside(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                _own(stream.fileno(), mode, uid, gid)
                if lasting:
                    sync_to_disk(stream.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if lasting:
            sync_to_disk(folder)


def read_file(path: AnyPath, anywhere: bool = False) -> tuple[bytes, os.stat_result]:
    """Content and status of a regular file; a link at `path` itself is not followed.

    Never waits for a pipe without a writer. Raises OSError if it is not a regular file.
    """
    with folder_of(path, anywhere) as (folder, name):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
            if status.st_size > LARGEST_BYTES:
                raise OSError(errno.EFBIG, f"it has {status.st_size} bytes", os.fspath(path))
            return stream.read(LARGEST_BYTES), status


def read_linked(path: AnyPath) -> bytes:
    """Content of a regular file, where an account's own links lead; not for root's files."""
    return read_file(os.path.realpath(path))[0]


def status_of(path: AnyPath) -> os.stat_result:
    """Status of what is at `path`, a link itself where it is one."""
    with folder_of(path) as (folder, name):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def link_target(path: AnyPath) -> str:
    """Where a link leads, as it says."""
    with folder_of(path) as (folder, name):
        return os.readlink(name, dir_fd=folder)


def names_in(path: AnyPath) -> tuple[str, ...]:
    """The names in a folder, sorted."""
    with _opened_folder(path) as descriptor:
        return tuple(sorted(os.listdir(descriptor)))  # noqa: PTH208 - of what is open


def make_folder(
    path: AnyPath, mode: int = 0o755, uid: int | None = None, gid: int | None = None
) -> None:
    """Make a folder with mode and owner; the one that holds it has to be there."""
    with folder_of(path) as (folder, name):
        os.mkdir(name, 0o700, dir_fd=folder)
        child = os.open(name, trusted.FOLDER, dir_fd=folder)
        try:
            _own(child, mode, uid, gid)
            sync_to_disk(child)
        finally:
            os.close(child)
        sync_to_disk(folder)


def make_link(path: AnyPath, target: str, uid: int | None = None, gid: int | None = None) -> None:
    """Put a symbolic link at `path` in one step, in place of a file or link."""
    with folder_of(path) as (folder, name):
        temporary = _beside(name)
        os.symlink(target, temporary, dir_fd=folder)
        try:
            set_owner_of_link(temporary, folder, uid, gid)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        sync_to_disk(folder)


def set_attributes(path: AnyPath, mode: int | None, uid: int | None, gid: int | None) -> None:
    """Mode and owner of a file, folder or link; None leaves one as it is."""
    with folder_of(path) as (folder, name):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            set_owner_of_link(name, folder, uid, gid)
            return
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except PermissionError:
            if mode is None or os.geteuid() == 0:
                raise
            # its owner cannot read it, and may change that; a swap gains an account nothing
            os.chmod(name, mode, dir_fd=folder)
            descriptor = os.open(name, flags, dir_fd=folder)
        try:
            _own(descriptor, mode, uid, gid)
        finally:
            os.close(descriptor)


def set_owner_of_link(name: str, folder: int, uid: int | None, gid: int | None) -> None:
    """Owner of a link in an open folder."""
    if uid is not None or gid is not None:
        numbers = (-1 if uid is None else uid, -1 if gid is None else gid)
        os.chown(name, *numbers, dir_fd=folder, follow_symlinks=False)


def remove_file(path: AnyPath, anywhere: bool = False) -> bool:
    """Remove `path` so that it stays removed after a power cut; False when it was not there."""
    try:
        with folder_of(path, anywhere) as (folder, name):
            os.unlink(name, dir_fd=folder)
            sync_to_disk(folder)
    except FileNotFoundError:
        return False
    return True


def remove_folder(path: AnyPath) -> None:
    """Remove an empty folder."""
    with folder_of(path) as (folder, name):
        os.rmdir(name, dir_fd=folder)
        sync_to_disk(folder)


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


@contextlib.contextmanager
def _opened_folder(path: AnyPath) -> Iterator[int]:
    with folder_of(path) as (folder, name):
        descriptor = os.open(name, trusted.FOLDER, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _beside(name: str) -> str:
    """A name for what is not ready, which fits the 255 bytes of a file system."""
    return f".{os.fsdecode(os.fsencode(name)[:200])}.{secrets.token_hex(4)}"


def _own(descriptor: int, mode: int | None, uid: int | None, gid: int | None) -> None:
    if uid is not None or gid is not None:
        os.fchown(descriptor, -1 if uid is None else uid, -1 if gid is None else gid)
    if mode is not None:  # after chown, which may clear mode bits
        os.fchmod(descriptor, mode)

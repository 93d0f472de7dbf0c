# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that only root can change, and how root opens a folder without a race.

A path is walked from / one component at a time. Each component is opened relative to its parent,
without following links (openat, O_NOFOLLOW, O_DIRECTORY). An open folder stays the same folder
after a rename, and only root can rename inside a folder that only root can write. So the checked
folder is the used one.

Access control lists are not read: macOS shows them only through `ls -le`.
"""

from __future__ import annotations

import errno
import grp
import os
import posixpath
import pwd
import shlex
import stat
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

# macOS itself keeps these as links; no other link leads to a file of root's.
APPLE_LINKS = {"/etc": "/private/etc", "/tmp": "/private/tmp", "/var": "/private/var"}
# Members of the group admin may run anything as root with sudo.
ADMIN_GROUP = 80
LINKS_AT_MOST = 32
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Border:
    """The first folder or file of a path that another account than root can change."""

    path: str
    uid: int
    gid: int
    mode: int

    @property
    def who(self) -> str:
        """Who can change it, for a sentence."""
        if self.uid != 0:
            return user_name(self.uid)
        if self.mode & stat.S_IWOTH:
            return "every account"
        return f"the group {group_name(self.gid)}"

    @property
    def remedy(self) -> str:
        """What leaves it to root."""
        if self.mode & stat.S_ISVTX:
            return "choose a folder that only root can write"
        command = f"sudo chmod go-w {shlex.quote(self.path)}"
        if self.uid != 0:
            command = f"sudo chown root {shlex.quote(self.path)} && {command}"
        return f"run `{command}`"


class UntrustedPathError(PermissionError):
    """Root's own file would lie where another account can change it; nothing was touched."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EPERM, why, path)

    def __reduce__(self) -> tuple[type[UntrustedPathError], tuple[str, str]]:
        return type(self), (str(self.filename), str(self.strerror))


def open_folder(folder: str) -> int:
    """A descriptor of `folder`, which only root can change; the caller closes it.

    Raises UntrustedPathError for a folder or a parent that another account can change and for a
    link that is not Apple's, other OSErrors for what is not there.
    """
    descriptor, border = _walk(folder, follow=False)
    if border is None:
        return descriptor
    os.close(descriptor)
    raise UntrustedPathError(
        folder,
        f"root's own files do not belong where {border.who} can change them ({border.path}); "
        f"{border.remedy}",
    )


def border_above(path: str) -> Border | None:
    """The first folder above `path` that another account can change; None when only root can.

    Links made by root are followed, because a home may be on another volume. Missing parents are
    not checked, because only root can create them.
    """
    try:
        descriptor, border = _walk(posixpath.dirname(path), follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    os.close(descriptor)
    return border


def border_of_program(path: str, trusted: Collection[int] = ()) -> Border | None:
    """The first part of a program's path, links included, that others than root can change.

    `trusted` are further accounts that may change it: the one that the program runs as.
    Raises OSError for what is not there.
    """
    descriptor, border = _walk(path, follow=True, trusted=trusted, last_is_file=True)
    os.close(descriptor)
    return border


def administrators() -> frozenset[int]:
    """Root, and the account that became root by sudo: nothing keeps that one from being root."""
    given = os.environ.get("SUDO_UID", "")
    return frozenset({0, int(given)} if given.isdigit() else {0})


def unsafe_for_root(program: str) -> str | None:
    """Why root does not run what a path leads to, links included; None when it may, or is gone."""
    try:
        border = border_of_program(os.path.abspath(program), administrators())  # noqa: PTH100
    except FileNotFoundError:
        return None  # the system says so itself
    except OSError as error:
        return f"{program}: {error.strerror}"
    if border is None:
        return None
    return f"{border.who} can change {border.path}; {border.remedy}"


def user_name(uid: int) -> str:
    """The name of an account, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group_name(gid: int) -> str:
    """The name of a group, or its number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"


def _walk(
    path: str, follow: bool, trusted: Collection[int] = (), last_is_file: bool = False
) -> tuple[int, Border | None]:
    """Descriptor of the last component reached, and the border that ended the walk, if any."""
    parts, here, links = deque(_components(path)), "/", 0
    descriptor = os.open("/", FOLDER)
    try:
        while True:
            status = os.fstat(descriptor)
            last = not parts
            # in a sticky folder only its owner can rename an entry, but every account can add links
            passable = not last and _is_sticky(status) and not _is_strange(parts[0], descriptor)
            border = None if passable else _border(here, status, trusted)
            if border is not None or last:
                return descriptor, border
            name = parts.popleft()
            target = _link_target(name, here, descriptor, follow)
            if target is None:
                is_file = last_is_file and not parts
                flags = FOLDER & ~os.O_DIRECTORY | os.O_NONBLOCK if is_file else FOLDER
                child = os.open(name, flags, dir_fd=descriptor)
                here = posixpath.join(here, name)
            else:
                links += 1
                if links > LINKS_AT_MOST:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                parts.extendleft(reversed(_components(target)))
                absolute = target.startswith("/")
                child = os.open("/" if absolute else ".", FOLDER, dir_fd=descriptor)
                here = "/" if absolute else here
            os.close(descriptor)
            descriptor = child
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, UntrustedPathError):
            error.filename = path
        raise


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."]


def _link_target(name: str, here: str, descriptor: int, follow: bool) -> str | None:
    """Where a link leads that may be followed; None for what is no link."""
    if name == "..":
        return None  # of a link that root made; its parent is opened like any folder
    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        return None
    path = posixpath.join(here, name)
    target = os.readlink(name, dir_fd=descriptor)
    if follow or APPLE_LINKS.get(path) == posixpath.normpath(posixpath.join(here, target)):
        return target
    raise UntrustedPathError(
        path,
        f"{path} is a symbolic link to {target}, and root follows no links but those of macOS "
        f"itself; replace it by a folder with "
        f"`sudo rm {shlex.quote(path)} && sudo mkdir -m 0755 {shlex.quote(path)}`, and move what "
        "it led to there",
    )


def _border(here: str, status: os.stat_result, trusted: Collection[int] = ()) -> Border | None:
    by_group = status.st_mode & stat.S_IWGRP and not _is_roots_group(status.st_gid)
    by_all = status.st_mode & stat.S_IWOTH
    owned = status.st_uid == 0 or status.st_uid in trusted
    if owned and not by_group and not by_all:
        return None
    return Border(here, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def _is_sticky(status: os.stat_result) -> bool:
    shared = status.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
    return bool(status.st_uid == 0 and shared and status.st_mode & stat.S_ISVTX)


def _is_strange(name: str, descriptor: int) -> bool:
    """Whether an entry is a link that root did not make."""
    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    return stat.S_ISLNK(status.st_mode) and status.st_uid != 0


def _is_roots_group(gid: int) -> bool:
    """Whether the group has only members that are root or can become root."""
    if gid == 0 or (os.uname().sysname == "Darwin" and gid == ADMIN_GROUP):
        return True
    try:
        members = grp.getgrgid(gid).gr_mem
    except KeyError:
        members = []
    others = [one for one in pwd.getpwall() if one.pw_gid == gid and one.pw_uid != 0]
    return not others and not [name for name in members if name != "root"]

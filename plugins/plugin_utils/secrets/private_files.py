# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner's files beside the inventory: keys in `.secrets`, choices of profiles in `.closet`.

`observe` reads names, modes and owners and follows no link. `private_plan.plan` is pure and plans
the repairs. `mend` changes only the modes of the owner's files.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SECRETS = ".secrets"
CHOICES = ".closet"
DEEPEST = 3  # .secrets/attic/revoked/air-1.key
MOST = 2000
LARGEST = 64 * 1024
GIT_LIMIT_S = 5
EVERY_ACCOUNT = "every account"


class SecretFileError(ValueError):
    """A file cannot be used as a secret; the text names its path and what to do, never a value."""


@dataclass(frozen=True)
class Entry:
    """One name: `kind` is folder, file, link or other; `below` are the names from its base on."""

    path: Path
    base: str
    below: tuple[str, ...]
    kind: str
    mode: int
    uid: int
    readable: bool = True
    leads_to: str = ""
    """Where a link ends, when that is not below its base; `nothing` when it ends nowhere."""
    linked: bool = False
    """A link that ends below its base: kind, mode and owner are those of its end."""


@dataclass(frozen=True)
class Seen:
    """The private files beside one inventory, our account, and the files that git tracks."""

    inventory: Path
    secrets: Path = Path()
    """`.secrets` itself, or where its owner keeps it."""
    entries: tuple[Entry, ...] = ()
    open_to: str = ""
    """Who else may write the folder of the inventory: `EVERY_ACCOUNT`, a group, or empty."""
    inventory_uid: int = 0
    uid: int = 0
    work_tree: str = ""
    tracked: tuple[tuple[str, ...], ...] = ()
    """Files of `.secrets` that git tracks, in the form of `Entry.below`."""


@dataclass(frozen=True)
class Repair:
    """A mode of ours to change."""

    path: Path
    before: int
    after: int


def observe(inventory: Path) -> Seen:
    """Read `.secrets` and `.closet` beside an inventory; a missing folder has no entry."""
    try:
        folder = inventory.stat()
    except OSError:
        return Seen(inventory, uid=os.geteuid())  # nothing can be in there either
    entries = (*_base(inventory, SECRETS), *_base(inventory, CHOICES))
    real = Path(os.path.realpath(inventory / SECRETS))
    work_tree, tracked = _tracked(real) if real.is_dir() else ("", ())
    return Seen(
        inventory,
        real,
        entries,
        open_to=_who_else_writes(folder),
        inventory_uid=folder.st_uid,
        uid=os.geteuid(),
        work_tree=work_tree,
        tracked=tracked,
    )


def mend(repairs: Iterable[Repair]) -> list[str]:
    """Change the modes; returns an error for each that could not be changed."""
    failed = []
    for repair in repairs:
        try:
            # not through a link that has replaced the file in the meantime
            descriptor = os.open(repair.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError:
            descriptor = -1  # ours, and we may not even read it: by name, then
        except OSError as error:
            failed.append(_not_mended(repair, error))
            continue
        try:
            os.chmod(repair.path if descriptor < 0 else descriptor, repair.after)  # noqa: PTH101
        except OSError as error:
            failed.append(_not_mended(repair, error))
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    return failed


def read_secret(path: Path) -> str:
    """The text of a secret's file without the white space around it.

    Raises FileNotFoundError, or SecretFileError for whatever else keeps it from being read.
    """
    try:
        # a pipe would block, and a device may do worse
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SecretFileError(
            f"{path} cannot be read ({error.strerror}): `ls -ld {shlex.quote(str(path))}`"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        quoted = shlex.quote(str(path))
        raise SecretFileError(
            f"{path} is not a file, and a secret is expected there: move it away with "
            f"`mv -n {quoted} {quoted}.old`"
        )
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise SecretFileError(f"{path} is larger than {LARGEST} bytes, which no secret is")
    return content.decode("utf-8", "replace").strip()


def _not_mended(repair: Repair, error: OSError) -> str:
    told = f"{repair.path} has mode {repair.before:04o} and could not be changed ({error.strerror})"
    if error.errno == errno.ELOOP:
        return f"{told}: it has become a link meanwhile, so run this again"
    path = shlex.quote(str(repair.path))
    unlock = "chflags nouchg,noschg" if sys.platform == "darwin" else "chattr -i"
    return (
        f"{told}: when it is locked, run `sudo {unlock} {path}` and this again; otherwise move the "
        "inventory to a disk that can be written and keeps modes"
    )


def _base(inventory: Path, name: str) -> Iterator[Entry]:
    """Everything from one folder on; a base that is a link is taken as the owner's own choice."""
    path = inventory / name
    entry = _entry(path, name, (), path)
    if entry is None:
        return
    yield entry
    real = Path(os.path.realpath(path))
    if entry.kind == "link":
        held = _entry(real, name, (), real)
        if held is not None:
            yield held
    left = [MOST]
    yield from _walk(real, name, (), real, left)


def _walk(
    folder: Path, base: str, below: tuple[str, ...], real: Path, left: list[int]
) -> Iterator[Entry]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return  # no folder, or one that we may not read: its own entry says so
    for path in paths:
        left[0] -= 1
        if left[0] < 0:
            return
        entry = _entry(path, base, (*below, path.name), real)
        if entry is None:
            continue
        yield entry
        if entry.kind == "folder" and len(entry.below) < DEEPEST:
            yield from _walk(path, base, entry.below, real, left)


def _entry(path: Path, base: str, below: tuple[str, ...], real: Path) -> Entry | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    kind, leads_to, linked = _kind(found.st_mode), "", False
    if kind == "link":
        end = Path(os.path.realpath(path))
        if not end.exists():
            leads_to = "nothing"
        elif below and real not in end.parents:
            leads_to = str(end)
        elif below:
            # one inside: what it leads to has an entry of its own, and counts as this one's kind
            found = end.stat()
            kind, linked = _kind(found.st_mode), True
    rights = os.R_OK | os.X_OK if kind == "folder" else os.R_OK
    effective = os.access in os.supports_effective_ids
    return Entry(
        path,
        base,
        below,
        kind,
        stat.S_IMODE(found.st_mode),
        found.st_uid,
        kind == "link" or os.access(path, rights, effective_ids=effective),
        leads_to,
        linked,
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    return "link" if stat.S_ISLNK(mode) else "other"


def _who_else_writes(folder: os.stat_result) -> str:
    """Who else could replace `.secrets` by another folder; the sticky bit prevents it."""
    if folder.st_mode & stat.S_ISVTX:
        return ""
    if folder.st_mode & stat.S_IWOTH:
        return EVERY_ACCOUNT
    if not folder.st_mode & stat.S_IWGRP:
        return ""
    try:
        group = grp.getgrgid(folder.st_gid)
        owner = pwd.getpwuid(folder.st_uid)
    except KeyError:
        return f"group {folder.st_gid}"
    # a group of one: what a umask of 002 is for
    alone = owner.pw_gid == folder.st_gid and set(group.gr_mem) <= {owner.pw_name}
    return "" if alone and group.gr_name == owner.pw_name else f"group {group.gr_name}"


def _tracked(folder: Path) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """The work tree of `folder`, and the files in `folder` that git tracks."""
    top = next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)
    git = shutil.which("git")
    if top is None or git is None:
        return "", ()
    # without git's environment variables and the repository's fsmonitor hook
    mine = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    words = ["-c", "core.fsmonitor=false", "-C", str(folder), "ls-files", "-z", "--", "."]
    try:
        done = subprocess.run(
            [git, *words],
            env={**mine, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "", ()
    names = (
        done.stdout.decode("utf-8", "surrogateescape").split("\0") if done.returncode == 0 else []
    )
    return str(top), tuple(tuple(name.split("/")) for name in names if name)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One builder of a path at a time, by a lock that ends with its holder.

The lock is flock(2) on `<path>.lock`, so the kernel releases it with the last process that has the
file open, even after `kill -9` and a power cut. The commands of a builder inherit the open file: a
uv whose module was killed still holds the lock, so no other run removes its folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import border_above

WAIT_S = 900.0
POLL_S = 0.5
SOON_S = 0.05  # until a holder has written who it is
UNKNOWN = "another builder, which has not said yet who it is"
MAX_TEXT = 4096


class LockedError(RuntimeError):
    """Another builder holds the lock, and the time to wait is over."""


@dataclass
class Held:
    """A lock that we hold; `waited` names the previous holder, empty if the lock was free."""

    path: str
    waited: str = ""
    warnings: list[str] = field(default_factory=list)


@contextlib.contextmanager
def held(path: str, what: str, runner: Runner, wait_s: float = WAIT_S) -> Iterator[Held]:
    """Hold the lock of `path`, whose parent is made when it is missing.

    `what` tells those who wait what we do. Raises LockedError after `wait_s` seconds. The commands
    that `runner` starts meanwhile keep the lock when we are killed.
    """
    _refuse_strange_folders(path)
    _make_parent(path)
    lock = Held(path)
    descriptor = _acquire(path, runner, wait_s, lock)
    before = runner.keep_open
    try:
        _write(descriptor, what)
        runner.keep_open = (*before, descriptor)
        try:
            yield lock
        except Exception:
            _remove(path)
            raise
        # While we hold it: who waits for this very file finds another one, or none, and asks anew.
        # After an interrupt the file stays, since a command of ours may still be at work.
        _remove(path)
    finally:
        runner.keep_open = before
        os.close(descriptor)


def _refuse_strange_folders(path: str) -> None:
    """What root builds, root and others run: no other account may change a folder above it."""
    border = border_above(path) if os.geteuid() == 0 else None
    if border is not None:
        raise LockedError(
            f"{path}: root builds nothing where {border.who} can change it ({border.path}); "
            f"{border.remedy}. Nothing was changed"
        )


def _make_parent(path: str) -> None:
    before = os.umask(0o022)  # another user than the one who builds will look into it
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    finally:
        os.umask(before)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_lock_file(path))  # noqa: PTH108


def _acquire(path: str, runner: Runner, wait_s: float, lock: Held) -> int:
    """Return the open and locked file."""
    deadline = runner.now() + wait_s
    began = runner.now()
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _describe(descriptor)
            os.close(descriptor)
            lock.waited = holder
            if runner.now() >= deadline:
                raise LockedError(_too_long(path, holder, wait_s)) from None
            runner.sleep(POLL_S if holder != UNKNOWN else SOON_S)
            continue
        if _is_current(descriptor, path):
            if lock.waited:
                waited_s = round(runner.now() - began)
                lock.warnings.append(f"{path}: waited {waited_s} s for {lock.waited}")
            return descriptor
        os.close(descriptor)  # its holder removed it when it was done


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(_lock_file(path), flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LockedError(f"{_lock_file(path)} is no regular file: remove it, then run this again")
    return descriptor


def _is_current(descriptor: int, path: str) -> bool:
    ours = os.fstat(descriptor)
    try:
        theirs = os.lstat(_lock_file(path))
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def _write(descriptor: int, what: str) -> None:
    """Tell those who wait who we are."""
    text = json.dumps({"pid": os.getpid(), "since": int(time.time()), "what": what})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _describe(descriptor: int) -> str:
    """Who holds it, as far as its file tells."""
    try:
        found = json.loads(os.pread(descriptor, MAX_TEXT, 0))
        pid, what = int(found["pid"]), str(found["what"])
        since = time.strftime("%H:%M:%S", time.localtime(int(found["since"])))
    except (ValueError, KeyError, TypeError):
        return UNKNOWN
    if _is_alive(pid):
        return f"process {pid}, which is to {what} since {since}"
    return f"what process {pid} started at {since} to {what}; that process itself has ended"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _too_long(path: str, holder: str, wait_s: float) -> str:
    return (
        f"{path} is being built by {holder}. It was not done after {wait_s:g} s, and nothing was "
        f"changed. Next: run this again when it has ended (`sudo lsof "
        f"{shlex.quote(_lock_file(path))}` on this host shows the process)"
    )


def _lock_file(path: str) -> str:
    return str(Path(f"{path}.lock"))

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the run lock of a closet; the closet's own Python runs this as root for the whole run.

The lock is flock(2) on a file, so it ends with this process for any reason: a power cut, a kill, or
the loss of the controller (our input closes, or nothing arrives any more). The text of the file
names the run that holds the lock or held it last; the probe reads it.

Input: JSON, the only argument. Output: one line of JSON for each event.
The script has no imports of the collection, because run_lock/keeper.py sends its text unchanged.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import stat
import sys
import time

FOLDERS = ("opt", "closet", "lock")
FILE = "run.json"
POLL_S = 0.5
SILENCE_S = 90.0


def main(order: dict[str, object], root: str = "/") -> int:
    """Wait for the lock, hold it until there is no more to hear, and leave."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)
    # a signal that comes right before we wait would not end the waiting
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    os.umask(0o022)
    lock = open_file(root)
    mine = {key: order[key] for key in ("token", "controller", "user", "playbook", "pid")}
    heard = time.monotonic()
    told = ""
    while not take(lock):
        text = read(lock)
        if holder_of(text).get("token") == mine["token"]:
            say({"state": "ours"})
            return 0
        if text != told:
            told = text
            say({"state": "waits", "holder": holder_of(text)})
        if order.get("peek") or time.monotonic() - heard > SILENCE_S:
            return 0
        heard = listen(woken, POLL_S, heard)
    if order.get("peek"):
        say({"state": "free"})
        return 0
    before = read(lock)
    since = int(time.time())
    write(lock, {**mine, "since": since, "held": True})
    try:
        say({"state": "holds", "before": before})
        while time.monotonic() - heard <= SILENCE_S:
            heard = listen(woken, SILENCE_S, heard)
    finally:
        write(lock, {**mine, "since": since, "held": False})
    return 0


def leave(*words: object) -> None:
    """End, whatever we are waiting for."""
    raise SystemExit(0)


def open_file(root: str) -> int:
    """A descriptor of the lock file, below folders that only root can change."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for name in FOLDERS:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        os.close(folder)
        folder = inner
        found = os.fstat(folder)
        if name != FOLDERS[0] and (found.st_uid != os.geteuid() or found.st_mode & stat.S_IWOTH):
            raise OSError(1, "is not root's alone", "/" + "/".join(FOLDERS))
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    lock = os.open(FILE, flags, 0o644, dir_fd=folder)
    os.close(folder)
    return lock


def take(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read(lock: int) -> str:
    """What the file says."""
    return os.pread(lock, 4096, 0).decode("utf-8", "replace").strip()


def write(lock: int, what: dict[str, object]) -> None:
    """Record the holder; not synchronised, because a power cut ends the lock anyway."""
    text = (json.dumps(what) + "\n").encode()
    os.pwrite(lock, text, 0)
    os.ftruncate(lock, len(text))


def holder_of(text: str) -> dict[str, object]:
    """Who holds it, as far as the text tells."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def listen(woken: int, limit_s: float, heard: float) -> float:
    """Wait for a sign of the controller; ends this process when there will be no more.

    Something comes through `woken` with a signal, whose handler runs then.
    """
    if 0 not in select.select([0, woken], [], [], limit_s)[0]:
        return heard
    if not os.read(0, 4096):
        raise SystemExit(0)
    return time.monotonic()


def say(news: dict[str, object]) -> None:
    """One line for the controller."""
    os.write(1, (json.dumps(news) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1])))

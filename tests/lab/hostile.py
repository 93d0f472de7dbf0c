"""What a hostile account runs on a simulated Mac.

The lab sends this file there as text, so it knows nothing of ours and runs on Python 3.9. One JSON
object says what to do; one JSON object on standard output says what came of it. What goes on until
it is told to stop ends when its standard input does, after LIMIT_S, or after LIMIT_COUNT rounds.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import random
import select
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 300
LIMIT_COUNT = 2_000_000
EXCHANGE = 2
ASIDE = ".honest"
LIBC = ctypes.CDLL(None, use_errno=True)


def plant(attacks: list[dict[str, str]], uid: int | None) -> dict[str, Any]:
    """Put something else where a run expects a file or a folder; what was there stays beside it.

    `uid` is for root, who does it only in folders of that account.
    """
    failed = {}
    for attack in attacks:
        path = Path(attack["path"])
        try:
            if uid is not None and path.parent.stat().st_uid != uid:
                raise PermissionError(f"{path.parent} is somebody else's")
            _plant(path, attack["kind"], attack["target"])
        except OSError as error:
            failed[attack["path"]] = str(error)
    return {"failed": failed}


def _plant(path: Path, kind: str, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        path.rename(f"{path}{ASIDE}")
    if kind == "link":
        path.symlink_to(target)
    elif kind == "hard":
        os.link(target, path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
        (path / "mine").write_text("mine\n")
    else:
        path.write_text(target)


def heal(paths: list[str]) -> dict[str, Any]:
    """Take away what was planted and put back what stood there."""
    for name in paths:
        path, aside = Path(name), Path(f"{name}{ASIDE}")
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            if path.is_fifo():  # whoever waits for its other end waits no longer
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            path.unlink()
        if os.path.lexists(aside):
            aside.rename(path)
    return {}


def told_to_stop() -> bool:
    """Whether the test has closed our standard input."""
    return bool(select.select([0], [], [], 0)[0]) and os.read(0, 1) == b""


class Pair:
    """A path that is honest at one moment and a link to what is root's at the next."""

    def __init__(self, path: str, target: str) -> None:
        parent, self.name = os.path.split(path)
        # kept open: the folder may be another pair, and be somewhere else in a moment
        self.folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        self.decoy = f".{self.name}.decoy"
        self.target = target
        self._link()

    def _link(self) -> None:
        with contextlib.suppress(OSError):
            os.symlink(self.target, self.decoy, dir_fd=self.folder)

    def is_link(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return os.readlink(name, dir_fd=self.folder) == self.target
        return False

    def exchange(self) -> bool:
        """Swap the two in one step; where a run took one of them away, put the link back."""
        words = (self.folder, self.name.encode(), self.folder, self.decoy.encode(), EXCHANGE)
        if LIBC.renameat2(*words) == 0:
            return True
        if ctypes.get_errno() == errno.ENOENT:
            self._link()
            with contextlib.suppress(OSError):
                os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
                return False
            if self.is_link(self.decoy):
                with contextlib.suppress(OSError):
                    os.rename(self.decoy, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
                    return True
        return False

    def settle(self) -> None:
        """Leave what is honest, at its own name."""
        if self.is_link(self.name):
            self._link()
            if self.is_link(self.decoy):
                os.unlink(self.name, dir_fd=self.folder)
            else:
                self.exchange()
        with contextlib.suppress(OSError):
            if self.is_link(self.decoy):
                os.unlink(self.decoy, dir_fd=self.folder)


def swap(pairs: list[list[str]], grabs: list[str], trap: str, hold: bool) -> dict[str, Any]:
    """Exchange paths with links, over and over; `hold` exchanges once and waits for a grab.

    A folder of root's that we suddenly may write is filled with traps, and everything is honest
    again, so that the run goes on and walks into them.
    """
    made = []
    for path, target in pairs:
        with contextlib.suppress(OSError):  # a folder that is not there, or not ours
            made.append(Pair(path, target))
    count, won, began = 0, [], time.monotonic()
    if hold:
        count = sum(pair.exchange() for pair in made)
    print("ready", flush=True)
    for number in range(LIMIT_COUNT):
        if number % 16 == 0 and (told_to_stop() or time.monotonic() - began > LIMIT_S):
            break
        if not hold:
            pair = random.choice(made)
            count += pair.exchange()
            time.sleep(random.random() / 4000)
            count += pair.exchange()
        won = [folder for folder in grabs if os.access(folder, os.W_OK)]
        if won:
            break
        time.sleep(random.random() / 1000)
    for pair in made:
        pair.settle()
    for folder in won:
        fill(Path(folder), trap)
    while won and not told_to_stop() and time.monotonic() - began < LIMIT_S:
        time.sleep(0.01)
    return {"swaps": count, "won": won}


def fill(folder: Path, trap: str) -> None:
    """Put a trap over each program of a folder that was never ours."""
    found = list(folder.iterdir())[:50] if folder.is_dir() else []
    for path in [one for one in found if os.access(one, os.X_OK) and not one.is_dir()]:
        with contextlib.suppress(OSError):
            new = folder / ".new"
            new.write_text(trap)
            new.chmod(0o755)
            new.replace(path)


def insist(after: str, attacks: list[dict[str, str]]) -> dict[str, Any]:
    """From the moment that a path is there or changes, put ours back whenever a run replaces it."""
    first, started, count, began = mark(after), False, 0, time.monotonic()
    ours: dict[str, Any] = {}
    print("ready", flush=True)
    for number in range(LIMIT_COUNT):
        if number % 16 == 0 and (told_to_stop() or time.monotonic() - began > LIMIT_S):
            break
        started = started or mark(after) not in (None, first)
        for attack in attacks if started else ():
            path = attack["path"]
            if mark(path) not in (None, ours.get(path)):
                with contextlib.suppress(OSError):
                    place(attack)
                    ours[path] = mark(path)
                    count += 1
        time.sleep(0.0005)
    return {"count": count}


def mark(path: str) -> tuple[int, int] | None:
    """What tells one file at a path from the next."""
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        return found.st_ino, found.st_mtime_ns
    return None


def place(attack: dict[str, str]) -> None:
    """Put a link or a text at a path in one step."""
    new = f"{attack['path']}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)  # noqa: PTH108
    if attack["kind"] == "link":
        os.symlink(attack["target"], new)  # noqa: PTH211
    else:
        Path(new).write_text(attack["target"])
    os.rename(new, attack["path"])  # noqa: PTH104


def main() -> None:
    """Do what standard argument one says."""
    said = json.loads(sys.argv[1])
    verb = said.pop("verb")
    verbs: dict[str, Callable[..., dict[str, Any]]] = {
        "plant": plant,
        "heal": heal,
        "swap": swap,
        "insist": insist,
    }
    print(json.dumps(verbs[verb](**said)), flush=True)


if __name__ == "__main__":
    main()

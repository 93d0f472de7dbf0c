# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a closet held while ansible-playbook lives: a process of its own on the controller.

It starts the holder on the closet (run_holder.py) through ssh, passes on what that says until it
holds the closet, gives it a sign of life again and again, and ends it as soon as the process of
ansible-playbook is gone, however that ended. Its standard files lead nowhere, so that nothing that
reads the output of ansible-playbook waits for it.

Order: JSON, the first line of standard input. Run as a script, without imports of the collection.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, cast

BEAT_S = 15.0
POLL_S = 0.25
AGAIN_S = 5.0
END_S = 5.0
# In the background of a script, a run may ignore the first signal.
STOP_S = 10.0


def identity(pid: int) -> str:
    """What tells a process from another one with its number; empty when it has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    if Path("/proc/self/stat").exists():
        try:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if words[0] in "ZX" else words[19]
    argv = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    state, _space, started = done.stdout.strip().partition(" ")
    return "" if state[:1] in ("", "Z") else started.strip()


class Keeper:
    """One closet, held for one run."""

    def __init__(self, order: dict[str, object]) -> None:
        self.argv = [str(word) for word in order["argv"]]  # type: ignore[attr-defined]
        self.password = str(order.get("password") or "")
        self.pid = int(str(order["pid"]))
        self.identity = str(order["identity"])
        self.host = str(order["host"])
        self.asked = True
        """Whether the run still reads what we write."""
        self.polled = 0.0

    def keep(self) -> None:
        """Hold the closet until the run ends; a connection that breaks is made again."""
        while True:
            again = self._once()
            if not again or self._ends_within(AGAIN_S):
                return

    def _once(self) -> bool:
        """One holder from its start to its end; whether there has to be another one."""
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            try:
                return self._attend(child, errors.fileno())
            finally:
                _end(child)

    def _attend(self, child: subprocess.Popen[bytes], errors: int) -> bool:
        to_child, from_child = (
            cast(IO[bytes], child.stdin).fileno(),
            cast(IO[bytes], child.stdout).fileno(),
        )
        if self.password:
            _write(to_child, self.password.encode() + b"\n")
        beat, rest = time.monotonic(), b""
        while not self._is_over():
            if time.monotonic() - beat > BEAT_S:
                beat = time.monotonic()
                _write(to_child, b"\n")
            if not select.select([from_child], [], [], POLL_S)[0]:
                continue
            got = os.read(from_child, 65536)
            if not got:
                return self._ended(child, errors)
            *lines, rest = (rest + got).split(b"\n")
            if any(self._hear(line) for line in lines):
                return False
        return False

    def _hear(self, line: bytes) -> bool:
        """One line of the holder; whether that is all there is to do."""
        try:
            news = json.loads(line)
            state = news["state"]
        except (ValueError, KeyError, TypeError):
            return False  # a banner, or sudo's own words
        if not self.asked:
            if state == "waits":
                self._lost(news.get("holder") or {})
                return True
            return bool(state == "ours")
        self._say(news)
        if state == "holds":
            self._nobody_asks()
        return bool(state == "ours")

    def _ended(self, child: subprocess.Popen[bytes], errors: int) -> bool:
        """The holder ended, and the run goes on."""
        if not self.asked:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(END_S)
        size = os.fstat(errors).st_size
        said = os.pread(errors, 2000, max(0, size - 2000)).decode("utf-8", "replace").strip()
        self._say({"state": "failed", "rc": child.returncode, "said": said})
        return False

    def _lost(self, holder: dict[str, object]) -> None:
        """Another run took it while we could not reach the closet: two at once undo each other."""
        text = (
            f"\n{self.host}: the connection broke for so long that another run holds this closet "
            f"now: {holder.get('playbook')} of {holder.get('user')} on {holder.get('controller')}. "
            "This run is stopped. Next: run it again when that one has ended.\n"
        )
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            argv = ["ps", "-o", "tty=", "-p", str(self.pid)]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
            Path("/dev", done.stdout.strip() or "null").write_text(text, encoding="utf-8")
        for how in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)
            if self._ends_within(STOP_S):
                return

    def _ends_within(self, limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self._is_over():
                return True
            time.sleep(POLL_S)
        return False

    def _is_over(self) -> bool:
        """Whether ansible-playbook has ended; a ps for each look would be too much."""
        pause_s = POLL_S if Path("/proc/self/stat").exists() else 2.0
        if time.monotonic() - self.polled < pause_s:
            return False
        self.polled = time.monotonic()
        return identity(self.pid) != self.identity

    def _say(self, news: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            os.write(1, (json.dumps(news) + "\n").encode())

    def _nobody_asks(self) -> None:
        """The task goes on; what we could say from here on leads nowhere."""
        self.asked = False
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        os.close(nowhere)


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it ended; its output says so
        os.write(descriptor, data)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let the holder leave: its input ends."""
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Keeper(json.loads(sys.stdin.readline())).keep()

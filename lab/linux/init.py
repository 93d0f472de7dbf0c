"""pid 1 of a Linux laptop: starts sshd, buries the dead, and goes down in order.

Not systemd, which would want cgroups, udev and a journal of its own, none of which anything here
asks for. Copied onto the laptop's disk and run by its own Python. SIGINT, which is what
Ctrl-Alt-Del sends to pid 1, is a restart, and SIGTERM the end; firmware.sh reads the exit code.
"""

from __future__ import annotations

import os
import signal
import time

SSHD = ("/usr/sbin/sshd", "-D")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WATCHED = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)
RESTART, HALT = 85, 86
PATIENCE_S = 10
"""Between SIGTERM and SIGKILL to everybody; systemd gives 90, and nothing here needs that."""


def main() -> int:
    """Run until told to leave; returns what firmware.sh shall do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    sshd = start()
    while True:
        told = signal.sigwait(WATCHED)
        if told != signal.SIGCHLD:
            end_everybody()
            return RESTART if told == signal.SIGINT else HALT
        if sshd in buried():
            time.sleep(1)
            sshd = start()


def start() -> int:
    """Start sshd with no signal blocked; returns its pid."""
    return os.posix_spawn(SSHD[0], SSHD, {"PATH": PATH}, setsigmask=[])


def buried() -> list[int]:
    """Collect every child that has ended, those whose parents left them included."""
    ended: list[int] = []
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append(pid)


def end_everybody() -> None:
    """Ask all processes to end, and kill those that do not."""
    for last_word, limit_s in ((signal.SIGTERM, PATIENCE_S), (signal.SIGKILL, 1)):
        deadline = time.monotonic() + limit_s
        try:
            os.kill(-1, last_word)
        except ProcessLookupError:
            return
        while time.monotonic() < deadline and not alone():
            time.sleep(0.02)


def alone() -> bool:
    """Whether no other process is left; also buries those that have ended."""
    buried()
    try:
        os.kill(-1, 0)
    except ProcessLookupError:
        return True
    return False


if __name__ == "__main__":
    raise SystemExit(main())

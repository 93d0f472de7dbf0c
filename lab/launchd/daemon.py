"""launchd itself: start, boot order, the loop, orderly reboot and halt.

`launchd --root FOLDER` runs it as an ordinary process with everything below FOLDER, for tests.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
from pathlib import Path

from . import spawn
from .errors import EPERM, LaunchdError, message
from .host import Host, describe
from .logbook import Logbook
from .protocol import Answer, Reply, Request
from .server import Server
from .supervisor import Supervisor

REBOOT_STATUS = 85
HALT_STATUS = 86
STRAY_GRACE_S = 1.0
PR_SET_CHILD_SUBREAPER = 36


class Daemon:
    """One launchd from its first instruction to its exit status."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.log = Logbook(host.log)
        self.selector = selectors.DefaultSelector()
        self.supervisor = Supervisor(host, self.log, spawn.start)
        self.ending: int | None = None
        self._watch_signals()
        self.server = Server(host.socket, self.selector, self.supervisor, self._own_verb)

    # -- signals and verbs of the machine ----------------------------------------------------

    def _watch_signals(self) -> None:
        self._waker, writer = socket.socketpair()
        self._writer = writer
        for end in (self._waker, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.selector.register(self._waker, selectors.EVENT_READ, self._on_signal)

    def _on_signal(self) -> None:
        with contextlib.suppress(BlockingIOError):
            numbers = set(self._waker.recv(4096))
            if signal.SIGCHLD in numbers:
                self.supervisor.reap()
            if signal.SIGTERM in numbers:
                self.end(HALT_STATUS)
            elif signal.SIGINT in numbers:
                self.end(REBOOT_STATUS)

    def _own_verb(self, asked: Request) -> Answer | None:
        if asked.verb != "reboot":
            return None
        if asked.uid != 0:
            return Reply(EPERM, err=f"{message(EPERM)}\n")
        self.end(HALT_STATUS if "halt" in asked.flags else REBOOT_STATUS)
        return Reply()

    # -- boot --------------------------------------------------------------------------------

    def boot(self) -> None:
        """Load the system's plists, then the machine's own, each folder in order of name."""
        for folder in self.host.daemon_folders:
            for path in sorted(folder.glob("*.plist")):
                self._load_at_boot(path)

    def _load_at_boot(self, path: Path) -> None:
        if path.is_symlink():  # by hand it loads; at boot macOS 14+ passes it over
            self.log.write("system", f"{path}: symbolic link, ignored at boot")
            return
        try:
            self.supervisor.bootstrap(self.supervisor.system, path)
        except LaunchdError as refusal:
            self.log.write("system", f"{path}: {refusal.code}: {message(refusal.code)}")

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> int:
        """Turn until told to end and every job is gone; return the exit status."""
        while True:
            self.supervisor.settle()
            self.server.flush()
            if self.ending is not None and not any(self.supervisor.jobs()):
                break
            for key, _ in self.selector.select(self._timeout()):
                key.data()
        self.server.flush()
        self.server.close()
        return self.ending

    def _timeout(self) -> float | None:
        now = self.host.clock.moment().now
        deadlines = (self.supervisor.next_deadline(), self.server.next_deadline())
        earliest = min((at for at in deadlines if at is not None), default=None)
        return None if earliest is None else max(0.0, earliest - now)

    def end(self, status: int) -> None:
        """Boot every job out; the loop ends when the last one has gone."""
        if self.ending is not None:
            return
        self.ending = status
        self.supervisor.ending = True
        self.log.write("system", "shutdown initiated")
        for domain, entry in self.supervisor.jobs():
            if not entry.state.removing:
                self.supervisor.bootout(domain, entry, "launchd[1]")


def end_strays(log: Logbook) -> None:
    """End what is left on the machine: processes that no job owns."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)
        if number == signal.SIGTERM and _wait_for_strays(STRAY_GRACE_S):
            break
    log.write("system", "all processes gone")


def _wait_for_strays(seconds: float) -> bool:
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return True
    return False


def _adopt_orphans() -> None:
    """Outside pid 1, be the one to whom orphans come, as pid 1 is."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _own_name() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("launchd")


def _hold_standard_files() -> None:
    """Descriptors 0 to 2 must be taken, or a socket would get such a number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, False)
    os.close(descriptor)


def main(arguments: list[str]) -> int:
    """Be launchd; returns 85 for a reboot, 86 for a halt."""
    root = Path("/")
    if arguments[:1] == ["--root"] and len(arguments) == 2:
        root = Path(arguments[1])
    elif os.getpid() != 1:
        sys.stderr.write("launchd cannot be run directly.\n")
        return 1
    _hold_standard_files()
    os.umask(0o022)
    os.chdir("/")
    _own_name()
    if os.getpid() != 1:
        _adopt_orphans()
    daemon = Daemon(describe(root))
    daemon.boot()
    status = daemon.run()
    if os.getpid() == 1:
        end_strays(daemon.log)
    return status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))

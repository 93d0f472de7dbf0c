"""How a run ended, and the names and numbers that Darwin has for it."""

from __future__ import annotations

import signal
from typing import NamedTuple

from .errors import SYSEXITS

# Signals that count as a crash for KeepAlive.Crashed (launchd-842 core.c; launchd.plist(5)).
CRASH_SIGNALS = frozenset(
    (
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGABRT,
        signal.SIGFPE,
        signal.SIGBUS,
        signal.SIGSEGV,
        signal.SIGSYS,
    )
)

# strsignal(3) of Darwin, as `last terminating signal` shows it.
SIGNAL_NAMES: dict[int, str] = {
    signal.SIGHUP: "Hangup",
    signal.SIGINT: "Interrupt",
    signal.SIGQUIT: "Quit",
    signal.SIGILL: "Illegal instruction",
    signal.SIGTRAP: "Trace/BPT trap",
    signal.SIGABRT: "Abort trap",
    signal.SIGFPE: "Floating point exception",
    signal.SIGKILL: "Killed",
    signal.SIGBUS: "Bus error",
    signal.SIGSEGV: "Segmentation fault",
    signal.SIGSYS: "Bad system call",
    signal.SIGPIPE: "Broken pipe",
    signal.SIGALRM: "Alarm clock",
    signal.SIGTERM: "Terminated",
    signal.SIGUSR1: "User defined signal 1",
    signal.SIGUSR2: "User defined signal 2",
}
# Linux numbers these signals otherwise than Darwin does.
DARWIN_NUMBERS: dict[int, int] = {
    signal.SIGBUS: 10,
    signal.SIGSYS: 12,
    signal.SIGCHLD: 20,
    signal.SIGCONT: 19,
    signal.SIGSTOP: 17,
    signal.SIGTSTP: 18,
    signal.SIGURG: 16,
    signal.SIGIO: 23,
    signal.SIGUSR1: 30,
    signal.SIGUSR2: 31,
}


class LastExit(NamedTuple):
    """How the previous run ended; neither number set means that there was none."""

    code: int | None = None
    signal: int | None = None
    jetsam: bool = False

    @property
    def success(self) -> bool:
        return self.signal is None and self.code == 0

    @property
    def crashed(self) -> bool:
        return self.signal in CRASH_SIGNALS

    @property
    def listed(self) -> int:
        """The Status column of `launchctl list`."""
        return (self.code or 0) if self.signal is None else -darwin_number(self.signal)

    @property
    def raw_status(self) -> int:
        """The wait(2) status, which `launchctl list LABEL` shows undecoded."""
        return (self.code or 0) << 8 if self.signal is None else darwin_number(self.signal)

    def printed(self) -> str:
        """The line of `launchctl print`, two after a jetsam kill (captures of macOS 26)."""
        if self.jetsam:
            reason = "OS_REASON_JETSAM"
            return f"last exit reason = {reason}\n\tlast jetsam exit details = {reason}"
        if self.signal is not None:
            number = darwin_number(self.signal)
            return f"last terminating signal = {signal_name(self.signal)}: {number}"
        if self.code is None:
            return "last exit code = (never exited)"
        named = f": {SYSEXITS[self.code]}" if self.code in SYSEXITS else ""
        return f"last exit code = {self.code}{named}"


NEVER = LastExit()


def from_wait(status: int) -> LastExit:
    """Decode a wait(2) status of this kernel."""
    if status & 0x7F:
        return LastExit(signal=status & 0x7F)
    return LastExit(code=status >> 8)


def darwin_number(number: int) -> int:
    """Return what Darwin calls a signal of this kernel."""
    return DARWIN_NUMBERS.get(number, number)


def signal_name(number: int) -> str:
    return SIGNAL_NAMES.get(number, f"Unknown signal: {number}")

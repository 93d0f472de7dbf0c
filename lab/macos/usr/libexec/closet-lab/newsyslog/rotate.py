"""Rotation itself: archives moved down, the log linked to .0, a new file renamed over it.

The order of operations is what matters to a process that holds the log open: its descriptor
follows the inode to .0, and compressing .0 unlinks the inode under it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mac

from newsyslog.decide import archive_folder, stem
from newsyslog.entry import UNSET, Entry, Options, size_kb

_LOWEST_PID, _HIGHEST_PID = 5, 99999


@dataclass
class Notice:
    """A process to signal once for all the logs it writes. told: "yes", "no" or "-s"."""

    pid_file: str
    number: int
    kind: str
    pid: int
    told: str


@dataclass(frozen=True)
class Compression:
    """An archive to compress after the signals."""

    archive: str
    entry: Entry
    size: int
    notice: Notice | None


def _link(old: str, new: str) -> None:
    """link(2) of macOS: a symbolic link at `old` is followed, and `new` names what it points to."""
    here = os.open("/", os.O_RDONLY)
    try:
        # Python calls link(2), which does not follow here, unless a folder makes it linkat(2)
        os.link(old, new, src_dir_fd=here, follow_symlinks=True)
    finally:
        os.close(here)


class Rotation:
    """One run's work: the logs rotated so far, whom to signal, what to compress."""

    def __init__(self, options: Options, sleep: Callable[[float], None] = time.sleep) -> None:
        self.options = options
        self.sleep = sleep
        self.notices: list[Notice] = []
        self.compressions: list[Compression] = []

    def rotate(self, entry: Entry, reason: str) -> None:
        """Archive the log and start a new one; signals and compression are put off."""
        size = size_kb(entry.log) or 0
        folder = archive_folder(entry.log, self.options)
        if folder is not None and not Path(folder).is_dir():
            self._make_folder(folder, "for -a")
        base = stem(entry.log, self.options)
        for ending in ("", ".gz", ".bz2"):
            self._remove(f"{base}.{entry.count}{ending}")
        for number in range(entry.count - 1, -1, -1):
            self._move_down(entry, base, number)
        if entry.count > 0:
            self._archive(entry, f"{base}.0", reason)
        if self.options.dry:
            print("Start new log...")
        self.create(entry, f"logfile turned over{reason}")
        notice = self._notice(entry) if entry.pid_file is not None else None
        if entry.count > 0 and (entry.gzip or entry.bzip2):
            self.compressions.append(Compression(f"{base}.0", entry, size, notice))

    def create(self, entry: Entry, message: str, first: bool = False) -> None:
        """Put a new file in the log's place, with its owner, mode and first line."""
        folder = str(Path(entry.log).parent)
        if first and not Path(folder).exists():
            self._make_folder(folder, f"for new {entry.log}")
        if self.options.dry:
            temporary = f"{entry.log}.zXXXXXX"
            print(f"\tmktemp {temporary}")
            self._attributes(temporary, entry, owner_first=True)
            print(f"\tmv {temporary} {entry.log}")
            return
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f"{Path(entry.log).name}.z", dir=folder)
        except OSError as err:
            mac.fail(f"can't mkstemp logfile {entry.log}.zXXXXXX: {os.strerror(err.errno or 0)}")
        if not entry.binary:
            self._say_in_log(temporary, message, entry)
        # by its descriptor, as createlog() does: the folder may be somebody else's
        if entry.uid != UNSET or entry.gid != UNSET:
            try:
                os.fchown(descriptor, entry.uid, entry.gid)
            except OSError as err:
                mac.fail(f"can't fchown temp file {temporary}: {os.strerror(err.errno or 0)}")
        os.fchmod(descriptor, entry.mode)
        Path(temporary).replace(entry.log)
        os.close(descriptor)

    def finish(self) -> None:
        """Signal every process once, wait as newsyslog does, then compress."""
        if self.notices:
            self._signal_all()
        if self.compressions:
            if self.options.dry or self.options.verbose:
                print("Compress all rotated log file(s)...")
            for work in sorted(self.compressions, key=lambda one: one.size):
                self._compress(work)

    def _make_folder(self, folder: str, purpose: str) -> None:
        missing = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
        for path in reversed(missing):
            if self.options.dry:
                print(f"\tmkdir {path}")
            else:
                path.mkdir(mode=0o755)
        if self.options.verbose:
            print(f"Created directory '{folder}' {purpose}")

    def _remove(self, archive: str) -> None:
        if self.options.dry:
            print(f"\trm -f {archive}")
        else:
            Path(archive).unlink(missing_ok=True)

    def _move_down(self, entry: Entry, base: str, number: int) -> None:
        for ending in ("", ".gz", ".bz2"):
            old, new = f"{base}.{number}{ending}", f"{base}.{number + 1}{ending}"
            if not os.path.lexists(old):
                continue
            if self.options.dry:
                print(f"\tmv {old} {new}")
            else:
                Path(old).replace(new)
            self._attributes(new, entry)
            return

    def _archive(self, entry: Entry, archive: str, reason: str) -> None:
        if self.options.dry:
            print(f"\t{'ln' if self.options.archive is None else 'cp'} {entry.log} {archive}")
        else:
            if not entry.binary:
                self._say_in_log(entry.log, f"logfile turned over{reason}", entry)
            try:
                _link(entry.log, archive)
            except OSError:
                shutil.copyfile(entry.log, archive)
        self._attributes(archive, entry)

    def _say_in_log(self, log: str, message: str, entry: Entry) -> None:
        rule = " using <default> rule" if entry.by_default_rule else ""
        stamp = time.ctime()[4:19]
        host = os.uname().nodename.partition(".")[0]
        with Path(log).open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {host} newsyslog[{os.getpid()}]: {message}{rule}\n")

    def _attributes(self, name: str, entry: Entry, owner_first: bool = False) -> None:
        owned = entry.uid != UNSET or entry.gid != UNSET
        if self.options.dry:
            uid, gid = (number % (1 << 32) for number in (entry.uid, entry.gid))
            lines = [f"\tchmod {entry.mode:o} {name}"]
            if owned:
                lines.insert(0 if owner_first else 1, f"\tchown {uid}:{gid} {name}")
            if entry.nodump:
                lines.insert(1 if owner_first else 2, f"\tchflags nodump {name}")
            print(*lines, sep="\n")
            return
        if owned:
            try:
                os.chown(name, entry.uid, entry.gid)
            except PermissionError as err:
                mac.warn(f"can't chown {name}: {os.strerror(err.errno or 0)}")
        Path(name).chmod(entry.mode)

    def _notice(self, entry: Entry) -> Notice:
        assert entry.pid_file is not None
        for known in self.notices:
            if (known.pid_file, known.number) == (entry.pid_file, entry.signal):
                return known
        kind = "process-group" if entry.group else "daemon"
        pid, told = self._pid(entry)
        notice = Notice(entry.pid_file, entry.signal, kind, pid, told)
        self.notices.append(notice)
        return notice

    def _pid(self, entry: Entry) -> tuple[int, str]:
        name = entry.pid_file or ""
        try:
            line = Path(name).read_text(encoding="utf-8", errors="replace").partition("\n")[0]
        except OSError as err:
            mac.warn(f"can't open pid file: {name}: {os.strerror(err.errno or 0)}")
            return 0, "no"
        if not line:
            mac.warn(f"pid file is empty: {name}")
            return 0, "yes"
        word = line.split()[0] if line.split() else ""
        if not word.lstrip("-").isdigit():
            mac.warn(f"pid file does not start with a valid number: {name}")
            return 0, "no"
        pid = int(word)
        low, high = (-_HIGHEST_PID, -_LOWEST_PID) if entry.group else (_LOWEST_PID, _HIGHEST_PID)
        if not low <= pid <= high:
            mac.warn(f"bad value '{pid}' for process number in {name}")
            if self.options.verbose:
                mac.warn(f"\t(expecting value between {low} and {high})")
            return 0, "no"
        return pid, "yes"

    def _signal_all(self) -> None:
        verbose = self.options.dry or self.options.verbose
        if verbose:
            print("Signal all daemon process(es)...")
        order = sorted(self.notices, key=lambda one: (one.pid_file, one.number), reverse=True)
        for notice, following in zip(order, [*order[1:], None]):
            self._signal(notice, following)
        if self.options.dry:
            print("\tsleep 10")
            return
        if self.options.verbose:
            print("Pause 10 seconds to allow daemon(s) to close log file(s)")
        self.sleep(10)

    def _signal(self, notice: Notice, following: Notice | None) -> None:
        if notice.told != "yes" or notice.pid == 0:
            return
        if self.options.silent:
            notice.told = "-s" if self.options.requestor is None else "yes"
            return
        pause = 0 if following is None else 10 if following.pid == notice.pid else 1
        if self.options.dry:
            print(f"\tkill -{notice.number} {notice.pid} \t\t# {notice.pid_file}")
            if pause:
                print(f"\tsleep {pause}")
            return
        try:
            os.kill(notice.pid, signal.Signals(notice.number))
        except OSError as err:
            if not isinstance(err, ProcessLookupError):
                notice.told = "no"
            mac.warn(f"can't notify {notice.kind}, pid {notice.pid}: {os.strerror(err.errno or 0)}")
            return
        if self.options.verbose:
            print(f"Notified {notice.kind} pid {notice.pid} = {notice.pid_file}")
        if pause:
            self.sleep(pause)

    def _compress(self, work: Compression) -> None:
        if work.notice is not None and work.notice.told != "yes":
            mac.warn(f"log {work.archive} not compressed because daemon(s) not notified")
            self._attributes(work.archive, work.entry)
            return
        program, ending = ("gzip", ".gz") if work.entry.gzip else ("bzip2", ".bz2")
        if self.options.dry:
            print(f"\t{program} {work.archive}")
        else:
            done = subprocess.run([f"/usr/bin/{program}", "-f", work.archive], check=False)
            if done.returncode != 0:
                mac.warn(
                    f"`{program} -f {work.archive}' terminated with a non-zero status "
                    f"({done.returncode})"
                )
                return
        self._attributes(work.archive + ending, work.entry)

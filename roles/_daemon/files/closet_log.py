# Managed by closet.inference. Runs a program and keeps what it prints in files of limited size.
"""Become a program whose output a second process of ours writes, rotates and bounds.

launchd opens a job's StandardOutPath once, and nothing makes it open it again, so a file that is
renamed is written on. Here the program keeps its pid, its signals and its exit code for launchd,
and writes into a pipe; the process at the other end owns the files and may rename them at will.
That process has a session of its own: when the program dies, launchd sends SIGTERM to the program's
process group, and the last lines, which say why it died, must still be written.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import logging
import logging.handlers
import os
import signal
import sys
import time
from typing import NoReturn

CHUNK = 65536  # what has no end of line by then is written as it is
LOCK_PATIENCE_S = 5.0
LAST_LINES = 19  # with the line above them what launchd_job shows of a log


class Rotating(logging.handlers.RotatingFileHandler):
    """Writes lines as they are; tells when it has turned a file over."""

    terminator = ""

    def __init__(self, path: str, limit: int, count: int, twin: str) -> None:
        self.twin = twin
        super().__init__(  # opened by the first line, so that a log that cannot be is no end
            path, "a", limit, count, encoding="utf-8", delay=True, errors="backslashreplace"
        )

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name there
        """Whether the line would bring the file over its limit, in bytes and not in letters."""
        if self.stream is None:
            self.stream = self._open()
        size = os.fstat(self.stream.fileno()).st_size
        return size > 0 and size + len(str(record.msg).encode(errors="replace")) > self.maxBytes

    def doRollover(self) -> None:  # noqa: N802
        """Turn over, and empty the twin that has outgrown the limit as well."""
        super().doRollover()
        with contextlib.suppress(OSError):  # not there, or not a file that can be emptied
            if self.twin and os.stat(self.twin).st_size > self.maxBytes:  # noqa: PTH116
                os.truncate(self.twin, 0)


def main() -> None:
    """Split in two: the writer, and the program that takes our own place."""
    words = parser().parse_args()
    reader, writer = os.pipe()
    left, leaving = os.pipe()  # closed by the writer once it has left our process group
    if os.fork() == 0:
        os.close(writer)
        os.close(left)
        write_down(reader, leaving, words)
    os.close(reader)
    os.close(leaving)
    os.read(left, 1)
    os.close(left)
    for descriptor in (1, 2):
        os.dup2(writer, descriptor)
    os.close(writer)
    try:
        os.execv(words.program[0], words.program)
    except OSError as error:
        sys.exit(f"{words.program[0]}: {error.strerror}")


def write_down(reader: int, leaving: int, words: argparse.Namespace) -> NoReturn:
    """Copy the pipe into the files until its last writer is gone, then leave the end with launchd.

    A disk that is full, or a log that may not be written, loses lines; it neither stops the
    program nor ends this one.
    """
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.close(leaving)
    logging.raiseExceptions = False
    wait_for_the_one_before(words.file)
    handler = Rotating(words.file, words.bytes, words.count, words.twin)
    last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    with os.fdopen(reader, "rb", buffering=CHUNK) as stream:
        for line in iter(lambda: stream.readline(CHUNK), b""):
            text = line.decode("utf-8", errors="backslashreplace")
            last.append(text)
            handler.emit(logging.makeLogRecord({"msg": text}))
    handler.close()
    if words.ends:
        tell_the_end(words.ends, last)
    os._exit(0)


def wait_for_the_one_before(path: str) -> None:
    """Two may not turn one file over at once; one that never ends is not waited for."""
    try:
        lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return
    until = time.monotonic() + LOCK_PATIENCE_S
    while time.monotonic() < until:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return


def tell_the_end(path: str, last: collections.deque[str]) -> None:
    """Append the last lines by name: what launchd holds open may have been renamed since."""
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as stream:  # noqa: PTH123
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        stream.write(f"closet-log: {stamp} the program has ended; its last lines:\n{''.join(last)}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(prog="closet-log", description=__doc__)
    words.add_argument("--file", required=True, help="where its output goes")
    words.add_argument("--bytes", type=int, required=True, help="largest size of that file")
    words.add_argument("--count", type=int, required=True, help="how many old ones are kept")
    words.add_argument("--ends", default="", help="file that gets the last lines of each run")
    words.add_argument("--twin", default="", help="file with the same lines, emptied when too big")
    words.add_argument("program", nargs="+", help="absolute path, and its words")
    return words


if __name__ == "__main__":
    main()

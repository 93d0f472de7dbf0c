"""One line of newsyslog.conf, and what a run is told on its command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from newsyslog.when import Moment

UNSET = -1
ADMIN = 80


@dataclass(frozen=True)
class Options:
    """The command line. `now` is the clock of the run, which -D TN= can set."""

    now: datetime
    archive: str | None = None
    destination: str = ""
    config: str | None = None
    dry: bool = False
    needs_root: bool = True
    silent: bool = False
    verbose: int = 0
    create: int = 0
    force: bool = False
    no_rotate: bool = False
    requestor: str | None = None
    show_at_times: bool = False


@dataclass(frozen=True)
class Entry:
    """What one line says about one log (or, with `glob`, about a pattern of logs)."""

    log: str
    uid: int = UNSET
    gid: int = UNSET
    mode: int = 0
    count: int = 1
    size_kb: int = UNSET
    hours: int = UNSET
    at: Moment | None = None
    gzip: bool = False
    bzip2: bool = False
    binary: bool = False
    create: bool = False
    nodump: bool = False
    glob: bool = False
    group: bool = False
    pid_file: str | None = None
    signal: int = 1
    by_default_rule: bool = False

    @property
    def label(self) -> str:
        """Return how newsyslog speaks of the entry: `/var/log/a.log <5J>`."""
        kind = "Z" if self.gzip else "J" if self.bzip2 else ""
        return f"{self.log} <{self.count}{kind}>"


@dataclass
class Config:
    """All configuration files of a run together, in the order they were read."""

    logs: list[Entry] = field(default_factory=list)
    globs: list[Entry] = field(default_factory=list)
    default: Entry | None = None


def size_kb(path: str) -> int | None:
    """Return the kilobytes of blocks the file holds, or None when there is no file."""
    try:
        return (Path(path).stat().st_blocks * 512 + 1023) // 1024
    except OSError:
        return None

"""Domains, the labels loaded in them, and small questions about the machine."""

from __future__ import annotations

import os
import pwd
import signal
from dataclasses import dataclass, field
from pathlib import Path

from .exits import LastExit
from .job import JobState, Phase
from .plist import JobDefinition
from .spawn import Child
from .targets import path_of


@dataclass
class Job:
    """One loaded label."""

    definition: JobDefinition
    path: str
    subject: str
    coalition: int
    state: JobState = field(default_factory=JobState)
    child: Child | None = None
    buried_at: float | None = None  # a dead process that a fault keeps in the process table
    burial: tuple[LastExit, bool] | None = None
    last_pid: int = 0


@dataclass
class Domain:
    """A place where labels live: system, user/UID or gui/UID."""

    kind: str
    number: int
    asid: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return path_of(self.kind, self.number)


def exists(path: str) -> bool:
    return Path(path).exists()


def account_exists(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def session_allows(domain: Domain, definition: JobDefinition) -> bool:
    """Agents load where LimitLoadToSessionType says: Aqua unless told otherwise."""
    if domain.kind == "system":
        return True
    wanted = definition.session_types or ("Aqua",)
    return {"user": "Background", "gui": "Aqua"}[domain.kind] in wanted


def kill_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def obituary(state: JobState, last: LastExit, now: float) -> str:
    """Word the end of a run as launchd's log does (facts, section 1.5)."""
    ran_ms = int((now - (now if state.started_at is None else state.started_at)) * 1000)
    if last.signal is None:
        return f"exited with exit reason (code: {last.code}), ran for {ran_ms}ms"
    by_us = state.phase in (Phase.TERMINATING, Phase.KILLED)
    sender = " | sent by launchd[1]" if by_us else ""
    return f"exited due to {signal.Signals(last.signal).name}{sender}, ran for {ran_ms}ms"

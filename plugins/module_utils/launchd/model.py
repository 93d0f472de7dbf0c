# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted and the present state of a launchd job, as plain values."""

from __future__ import annotations

import enum
import plistlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout

STARTED_WITH = "CLOSET_STARTED_WITH"
"""The variable of a managed job with the fingerprints of its process; see stamp.py."""

DEFAULT_EXIT_TIMEOUT_S = 5
"""What launchd of macOS 13 to 27 gives a job without ExitTimeOut between SIGTERM and SIGKILL."""

YOUNG_S = 60
"""A process younger than this, started again after a bad end, is watched before it is believed."""

RECENT_S = 24 * 3600
"""A process that has lived longer has outlived the shortage that ended the one before."""


def plist_bytes(plist: Mapping[str, Any]) -> bytes:
    """The file that launchd reads: XML, keys sorted, so that equal content is equal text."""
    return plistlib.dumps(dict(plist), fmt=plistlib.FMT_XML, sort_keys=True)


class JobError(Exception):
    """A sentence for the person who reads it: what was tried, what was seen, what to run next."""


class Presence(enum.Enum):
    """Whether launchd has the job; a probe that fails in another way proves neither."""

    LOADED = "loaded"
    ABSENT = "absent"
    NO_DOMAIN = "no domain"
    UNKNOWN = "unknown"


class Override(enum.Enum):
    """What launchd's store of enabled and disabled labels says about one label."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    UNSET = "unset"
    UNKNOWN = "unknown"


class FileKind(enum.Enum):
    """What is at the path of a plist."""

    ABSENT = "absent"
    PLIST = "plist"
    LINK = "link"
    BROKEN = "broken"
    OTHER = "other"
    UNREADABLE = "unreadable"


class Step(enum.Enum):
    """One thing to do. The last two only look and wait."""

    MAKE_LOG = "make log"
    WRITE = "write"
    REMOVE = "remove"
    ENABLE = "enable"
    DISABLE = "disable"
    BOOTOUT = "bootout"
    BOOTSTRAP = "bootstrap"
    STOP = "stop"
    KICKSTART = "kickstart"
    SETTLE = "settle"
    COMPLETE = "complete"

    @property
    def changes(self) -> bool:
        return self not in (Step.SETTLE, Step.COMPLETE)


@dataclass(frozen=True)
class Domain:
    """system, user/UID or gui/UID; `missing_user` is a user name that does not exist (yet)."""

    name: str
    uid: int | None = None
    gid: int | None = None
    home: str | None = None
    missing_user: str | None = None

    @property
    def kind(self) -> str:
        return self.name.split("/", 1)[0]


@dataclass(frozen=True)
class Want:
    """The wanted state of one job; without `plist` its definition is unmanaged and stays."""

    label: str
    domain: Domain
    path: str
    state: str = "started"
    enabled: bool = True
    plist: Mapping[str, Any] | None = None
    uid: int = 0
    gid: int = 0
    mode: int = 0o644
    path_is_given: bool = False
    on_change: str = "reload"
    completed: bool = False
    settle_s: float = 3.0
    timeout_s: float = 30.0
    before_stop: tuple[str, ...] = ()
    before_stop_timeout_s: float = 60.0
    warnings: Sequence[str] = ()

    @property
    def target(self) -> str:
        return f"{self.domain.name}/{self.label}"


@dataclass(frozen=True)
class FileState:
    """The plist file; `content` when it could be read as one, `data` its bytes."""

    kind: FileKind = FileKind.ABSENT
    content: Mapping[str, Any] | None = None
    data: bytes | None = None
    uid: int = 0
    gid: int = 0
    mode: int = 0o644
    quarantined: bool = False  # checked only before an unchanged file is loaded


@dataclass(frozen=True)
class Have:
    """One job as it is. `probe` is what launchctl said when the presence is unknown."""

    presence: Presence
    job: Printout | None = None
    file: FileState = field(default_factory=FileState)
    override: Override = Override.UNSET
    probe: str = ""
    age_s: int | None = None  # of the process; read only if the job may be crashing
    missing_logs: tuple[str, ...] = ()  # in root's folder, so the job's user cannot create them

    @property
    def running(self) -> bool | None:
        if self.presence is Presence.LOADED:
            return self.job.running if self.job else None
        return None if self.presence is Presence.UNKNOWN else False

    @property
    def state(self) -> str:
        """running, loaded (without a process), absent or unknown."""
        if self.presence is Presence.LOADED:
            return "running" if self.running else "loaded"
        return "unknown" if self.presence is Presence.UNKNOWN else "absent"

    @property
    def jetsam(self) -> str | None:
        """Why the kernel ended the job's last process, as long as that still tells anything."""
        is_old = self.age_s is not None and self.age_s > RECENT_S
        return None if self.job is None or is_old else self.job.jetsam

    @property
    def may_be_crashing(self) -> bool:
        """Runs, but was started again after a bad end, and not long ago."""
        if self.age_s is None or self.job is None:
            return False
        return self.age_s < YOUNG_S and self.job.was_restarted_after_a_bad_end


@dataclass(frozen=True)
class Plan:
    """The steps from what there is to what is wanted, and what differs now, by name."""

    steps: tuple[Step, ...] = ()
    drift: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return any(step.changes for step in self.steps)

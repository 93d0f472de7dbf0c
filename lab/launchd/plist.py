"""From a launchd.plist(5) to a job definition: what launchd refuses, what it lets pass.

Only a file that is no plist, has no Label, or no program is refused (109, 110, 111). A key with
a value of the wrong type is ignored with a line in launchd's log, as launchd does; the module
under test must not lean on more.
"""

from __future__ import annotations

import os
import plistlib
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from . import errors
from .calendar_interval import CalendarSpec
from .errors import LaunchdError

DEFAULT_THROTTLE_S = 10
DEFAULT_EXIT_TIMEOUT_S = 5  # macOS 13 to 26; 20 was launchd up to 10.9 (facts, section 2)

# Keys of launchd.plist(5) that the lab does not act on. Named in the log, so nobody is fooled.
NOT_MODELLED = ("Sockets", "MachServices", "WatchPaths", "QueueDirectories", "StartOnMount")


@dataclass(frozen=True)
class KeepAlive:
    """When a job is started again; the conditions of a dictionary are ORed."""

    always: bool = False
    successful_exit: bool | None = None
    crashed: bool | None = None
    path_state: tuple[tuple[str, bool], ...] = ()

    @property
    def judges_exits(self) -> bool:
        return self.successful_exit is not None or self.crashed is not None


@dataclass(frozen=True)
class JobDefinition:
    """A plist as launchd keeps it from bootstrap to bootout."""

    label: str
    program: str | None = None
    arguments: tuple[str, ...] = ()
    run_at_load: bool = False
    keep_alive: KeepAlive = KeepAlive()
    throttle_s: int = DEFAULT_THROTTLE_S
    exit_timeout_s: int = DEFAULT_EXIT_TIMEOUT_S
    user: str | None = None
    group: str | None = None
    init_groups: bool = True
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str | None = None
    stdin_path: str | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    umask: int | None = None
    nice: int | None = None
    soft_limits: tuple[tuple[str, int], ...] = ()
    hard_limits: tuple[tuple[str, int], ...] = ()
    start_interval_s: int | None = None
    calendar: tuple[CalendarSpec, ...] = ()
    abandon_process_group: bool = False
    process_type: str | None = None
    session_types: tuple[str, ...] = ()
    launch_only_once: bool = False
    enable_transactions: bool = False
    low_priority_io: bool = False
    low_priority_background_io: bool = False
    disabled: bool = False

    @property
    def executable(self) -> str:
        return self.program if self.program is not None else self.arguments[0]


@dataclass
class _Reader:
    """Takes keys out of a plist by type and notes what it had to ignore."""

    raw: dict[str, Any]
    ignored: list[str] = field(default_factory=list)

    def _typed(self, key: str, kind: type, name: str) -> Any:
        value = self.raw.get(key)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if value is None or (isinstance(value, kind) and not wrong_bool):
            return value
        self.ignored.append(f"The {key} key needs a value of type {name}. Ignoring.")
        return None

    def text(self, key: str) -> str | None:
        value: str | None = self._typed(key, str, "string")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._typed(key, bool, "boolean")
        return default if value is None else bool(value)

    def number(self, key: str) -> int | None:
        value: int | None = self._typed(key, int, "integer")
        return value

    def table(self, key: str) -> dict[str, Any]:
        return self._typed(key, dict, "dictionary") or {}

    def numbers(self, key: str) -> tuple[tuple[str, int], ...]:
        table = self.table(key)
        return tuple((name, value) for name, value in table.items() if isinstance(value, int))


def parse(raw: Any) -> tuple[JobDefinition, tuple[str, ...]]:
    """Turn a decoded plist into a definition and the log lines about what was ignored."""
    if not isinstance(raw, dict):
        raise LaunchdError(errors.INVALID_PLIST)
    label = raw.get("Label")
    if not isinstance(label, str) or not label:
        raise LaunchdError(errors.MISSING_LABEL)
    reader = _Reader(raw)
    throttle = reader.number("ThrottleInterval")
    if throttle is not None and throttle <= 0:
        reader.ignored.append("You're not that important. Ignoring.")
        throttle = None
    interval = reader.number("StartInterval")
    if interval is not None and interval <= 0:
        reader.ignored.append("StartInterval is not greater than zero, ignoring.")
        interval = None
    exit_timeout = reader.number("ExitTimeOut")
    definition = JobDefinition(
        label=label,
        program=reader.text("Program"),
        arguments=_arguments(raw),
        run_at_load=reader.flag("RunAtLoad"),
        keep_alive=_keep_alive(raw, reader),
        throttle_s=DEFAULT_THROTTLE_S if throttle is None else throttle,
        exit_timeout_s=DEFAULT_EXIT_TIMEOUT_S if exit_timeout is None else exit_timeout,
        user=reader.text("UserName"),
        group=reader.text("GroupName"),
        init_groups=reader.flag("InitGroups", default=True),
        environment=_environment(reader),
        working_directory=reader.text("WorkingDirectory"),
        stdin_path=reader.text("StandardInPath"),
        stdout_path=reader.text("StandardOutPath"),
        stderr_path=reader.text("StandardErrorPath"),
        umask=_umask(raw, reader),
        nice=reader.number("Nice"),
        soft_limits=reader.numbers("SoftResourceLimits"),
        hard_limits=reader.numbers("HardResourceLimits"),
        start_interval_s=interval,
        calendar=_calendar(raw, reader),
        abandon_process_group=reader.flag("AbandonProcessGroup"),
        process_type=reader.text("ProcessType"),
        session_types=_session_types(raw),
        launch_only_once=reader.flag("LaunchOnlyOnce"),
        enable_transactions=reader.flag("EnableTransactions"),
        low_priority_io=reader.flag("LowPriorityIO"),
        low_priority_background_io=reader.flag("LowPriorityBackgroundIO"),
        disabled=reader.flag("Disabled"),
    )
    if definition.program is None and not definition.arguments:
        raise LaunchdError(errors.MISSING_PROGRAM)
    reader.ignored += [f"The lab does not model {key}." for key in NOT_MODELLED if key in raw]
    return definition, tuple(reader.ignored)


def _arguments(raw: dict[str, Any]) -> tuple[str, ...]:
    arguments = raw.get("ProgramArguments", [])
    if not isinstance(arguments, list) or not all(isinstance(item, str) for item in arguments):
        raise LaunchdError(errors.MISSING_PROGRAM)
    return tuple(arguments)


def _keep_alive(raw: dict[str, Any], reader: _Reader) -> KeepAlive:
    value = raw.get("KeepAlive", False)
    if isinstance(value, bool):
        return KeepAlive(always=value)
    if not isinstance(value, dict):
        reader.ignored.append("The KeepAlive key needs a boolean or a dictionary. Ignoring.")
        return KeepAlive()
    inner = _Reader(value)
    keep = KeepAlive(
        successful_exit=inner.flag("SuccessfulExit") if "SuccessfulExit" in value else None,
        crashed=inner.flag("Crashed") if "Crashed" in value else None,
        path_state=tuple((path, bool(want)) for path, want in inner.table("PathState").items()),
    )
    reader.ignored += inner.ignored
    unknown = sorted(set(value) - {"SuccessfulExit", "Crashed", "PathState"})
    reader.ignored += [f"The lab does not model KeepAlive.{key}." for key in unknown]
    return keep


def _environment(reader: _Reader) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in reader.table("EnvironmentVariables").items():
        if isinstance(value, str):
            pairs.append((name, value))
        else:
            reader.ignored.append(f"EnvironmentVariables.{name} must be a string. Ignoring.")
    return tuple(pairs)


def _umask(raw: dict[str, Any], reader: _Reader) -> int | None:
    """An integer counts as it is (63 is 077); a string goes through strtoul(3), so "077" works."""
    value = raw.get("Umask")
    if isinstance(value, str):
        try:
            return int(value, 8 if value.startswith("0") and value[1:2].isdigit() else 0) & 0o777
        except ValueError:
            reader.ignored.append("The Umask key is not a number. Ignoring.")
            return None
    number = reader.number("Umask")
    return None if number is None else number & 0o777


def _calendar(raw: dict[str, Any], reader: _Reader) -> tuple[CalendarSpec, ...]:
    value = raw.get("StartCalendarInterval", [])
    entries = value if isinstance(value, list) else [value]
    specs = []
    for entry in entries:
        if not isinstance(entry, dict):
            reader.ignored.append("StartCalendarInterval needs dictionaries. Ignoring.")
            continue
        inner = _Reader(entry)
        names = ("Minute", "Hour", "Day", "Weekday", "Month")
        specs.append(CalendarSpec(*(inner.number(name) for name in names)))
        reader.ignored += inner.ignored
    return tuple(specs)


def _session_types(raw: dict[str, Any]) -> tuple[str, ...]:
    value = raw.get("LimitLoadToSessionType", [])
    entries = value if isinstance(value, list) else [value]
    return tuple(entry for entry in entries if isinstance(entry, str))


def check_ownership(path: Path, owners: frozenset[int]) -> None:
    """Refuse a plist that somebody else could have written (122) or that is no regular file."""
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise LaunchdError(errors.ENOENT) from None
    except OSError:
        raise LaunchdError(errors.EIO) from None
    writable_by_others = stat.S_IMODE(info.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if info.st_uid not in owners or writable_by_others or not stat.S_ISREG(info.st_mode):
        raise LaunchdError(errors.BAD_OWNERSHIP)
    try:
        # Linux keeps extended attributes of users in a name space of their own.
        os.getxattr(path, "user.com.apple.quarantine")
    except OSError:
        return
    raise LaunchdError(errors.QUARANTINED)


def read(path: Path, owners: frozenset[int]) -> tuple[JobDefinition, tuple[str, ...]]:
    """Read, check and parse a plist file; raises LaunchdError with the number launchd answers."""
    check_ownership(path, owners)
    try:
        raw = plistlib.loads(path.read_bytes())
    except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError, OSError):
        raise LaunchdError(errors.INVALID_PLIST) from None
    return parse(raw)

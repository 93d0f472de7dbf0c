# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of launchd.plist(5), what may stand there, and what is said when something else does.

launchd itself ignores a key it does not know: `ExitTimeout` silently means the default of five
seconds. So a definition is checked here before it is written.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Check = Callable[[str, Any], Iterable[str]]
"""Takes where a value stands and the value; yields one sentence for each thing wrong with it."""

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def check_plist(plist: Mapping[str, Any]) -> list[str]:
    """What is wrong with a definition, one sentence each; nothing when launchd will take it."""
    problems = list(_members(KEYS)("", plist))
    if not any(key in plist for key in ("Program", "ProgramArguments", "BundleProgram")):
        problems.append("neither Program nor ProgramArguments says what to run")
    program = program_of(plist)
    if isinstance(program, str) and program and not program.startswith("/"):
        problems.append(f"the program '{program}' is not an absolute path; launchd uses no shell")
    return problems


def program_of(plist: Mapping[str, Any]) -> str | None:
    """The file launchd executes: Program, or else the first of ProgramArguments."""
    arguments = plist.get("ProgramArguments")
    first = arguments[0] if isinstance(arguments, (list, tuple)) and arguments else None
    program = plist.get("Program", first)
    return program if isinstance(program, str) else None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, spelling and case aside."""
    by_folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.75)
    return by_folded[close[0]] if close else None


# --- kinds of values -------------------------------------------------------------------------


def _text(where: str, value: Any) -> Iterable[str]:
    if not isinstance(value, str):
        yield f"{where} must be text, not {_kind(value)}{_quote_hint(value)}"
    elif _NOT_IN_XML.search(value):
        yield f"{where} contains a character that a property list cannot hold"


def _filled_text(where: str, value: Any) -> Iterable[str]:
    yield from _text(where, value)
    if value == "":
        yield f"{where} must not be empty"


def _truth(where: str, value: Any) -> Iterable[str]:
    if not isinstance(value, bool):
        yield f"{where} must be true or false, not {_kind(value)}"


def _number(low: int | None = None, high: int | None = None) -> Check:
    def check(where: str, value: Any) -> Iterable[str]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{where} must be a whole number, not {_kind(value)}"
        elif low is not None and value < low:
            yield f"{where} must be at least {low}, not {value}"
        elif high is not None and value > high:
            yield f"{where} must be at most {high}, not {value}"

    return check


def _word(*words: str) -> Check:
    def check(where: str, value: Any) -> Iterable[str]:
        if value not in words:
            yield f"{where} must be one of {', '.join(words)}, not {value!r}"

    return check


def _umask(where: str, value: Any) -> Iterable[str]:
    if isinstance(value, str):
        if not re.fullmatch(r"0?[0-7]{1,4}|0x[0-9a-fA-F]{1,3}|[0-9]{1,4}", value):
            yield f"{where} must be a number or an octal text like '027', not {value!r}"
    else:
        yield from _number(0, 0o777)(where, value)


def _absolute(where: str, value: Any) -> Iterable[str]:
    yield from _text(where, value)
    if isinstance(value, str) and not value.startswith("/"):
        yield f"{where} must be an absolute path, not {value!r}; launchd expands no '~'"


def _anything(where: str, value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _text(f"a name in {where}", name)
            yield from _anything(f"{where}.{name}", inner)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _anything(f"{where}[{index}]", inner)
    elif value is None:
        yield f"{where} is empty (null), which a property list cannot hold"
    elif isinstance(value, str):
        yield from _text(where, value)


def _list_of(check: Check, at_least: int = 0) -> Check:
    def check_list(where: str, value: Any) -> Iterable[str]:
        if not isinstance(value, (list, tuple)):
            yield f"{where} must be a list, not {_kind(value)}"
            return
        if len(value) < at_least:
            yield f"{where} must not be an empty list"
        for index, inner in enumerate(value):
            yield from check(f"{where}[{index}]", inner)

    return check_list


def _map_of(check: Check) -> Check:
    def check_map(where: str, value: Any) -> Iterable[str]:
        if not isinstance(value, Mapping):
            yield f"{where} must be a dictionary, not {_kind(value)}"
            return
        for name, inner in value.items():
            yield from _filled_text(f"a name in {where}", name)
            yield from check(f"{where}.{name}", inner)

    return check_map


def _members(checks: Mapping[str, Check]) -> Check:
    def check_members(where: str, value: Any) -> Iterable[str]:
        if not isinstance(value, Mapping):
            yield f"{where} must be a dictionary, not {_kind(value)}"
            return
        for name, inner in value.items():
            if name in checks:
                yield from checks[name](f"{where}.{name}" if where else str(name), inner)
            else:
                yield _unknown(where, str(name), checks)

    return check_members


def _either(first: type, if_first: Check, otherwise: Check) -> Check:
    """One check for values of the type `first`, another for all others."""

    def check(where: str, value: Any) -> Iterable[str]:
        yield from (if_first if isinstance(value, first) else otherwise)(where, value)

    return check


def _unknown(where: str, name: str, checks: Mapping[str, Check]) -> str:
    inside = f" in {where}" if where else ""
    meant = nearest(name, checks)
    hint = f"; did you mean '{meant}'?" if meant else ""
    return f"'{name}'{inside} is not a key that launchd knows{hint}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if value is None:
        return "nothing (null)"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, Mapping):
        return "a dictionary"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


def _quote_hint(value: Any) -> str:
    return f"; write '{value!s}' in quotes" if isinstance(value, (bool, int, float)) else ""


# --- the table: launchd.plist(5) -------------------------------------------------------------

_SESSION = _word("Aqua", "Background", "LoginWindow", "StandardIO", "System")
_LIMIT_NAMES = (
    "Core",
    "CPU",
    "Data",
    "FileSize",
    "MemoryLock",
    "NumberOfFiles",
    "NumberOfProcesses",
    "ResidentSetSize",
    "Stack",
)
_LIMITS = _members({name: _number(0) for name in _LIMIT_NAMES})
_MOMENT = _members(
    {
        "Minute": _number(0, 59),
        "Hour": _number(0, 23),
        "Day": _number(1, 31),
        "Weekday": _number(0, 7),
        "Month": _number(1, 12),
    }
)
_KEEP_ALIVE = _members(
    {
        "SuccessfulExit": _truth,
        "Crashed": _truth,
        "NetworkState": _truth,
        "AfterInitialDemand": _truth,
        "PathState": _map_of(_truth),
        "OtherJobEnabled": _map_of(_truth),
        "OtherJobActive": _map_of(_truth),
    }
)
_MACH_SERVICE = _members(
    {"ResetAtClose": _truth, "HideUntilCheckIn": _truth, "DrainMessagesOnCrash": _anything}
)
_SOCKET = _members(
    {
        "SockType": _word("stream", "dgram", "seqpacket"),
        "SockPassive": _truth,
        "SockNodeName": _text,
        "SockServiceName": _either(int, _number(0, 65535), _text),
        "SockFamily": _word("IPv4", "IPv6", "IPv4v6", "Unix"),
        "SockProtocol": _word("TCP", "UDP"),
        "SockPathName": _absolute,
        "SecureSocketWithKey": _text,
        "SockPathOwner": _number(0),
        "SockPathGroup": _number(0),
        "SockPathMode": _number(0),
        "Bonjour": _anything,
        "MulticastGroup": _text,
        "ReceivePacketInfo": _truth,
    }
)

KEYS: Mapping[str, Check] = {
    "Label": _filled_text,
    "Disabled": _truth,
    "UserName": _filled_text,
    "GroupName": _filled_text,
    "inetdCompatibility": _members({"Wait": _truth, "Instances": _number(0)}),
    "LimitLoadToHosts": _list_of(_text),
    "LimitLoadFromHosts": _list_of(_text),
    "LimitLoadToSessionType": _either(list, _list_of(_SESSION, 1), _SESSION),
    "LimitLoadToHardware": _map_of(_list_of(_text)),
    "LimitLoadFromHardware": _map_of(_list_of(_text)),
    "Program": _absolute,
    "BundleProgram": _filled_text,
    "ProgramArguments": _list_of(_text, 1),
    "EnableGlobbing": _truth,
    "EnableTransactions": _truth,
    "EnablePressuredExit": _truth,
    "OnDemand": _truth,
    "ServiceIPC": _truth,
    "KeepAlive": _either(bool, _truth, _KEEP_ALIVE),
    "RunAtLoad": _truth,
    "RootDirectory": _absolute,
    "WorkingDirectory": _absolute,
    "EnvironmentVariables": _map_of(_text),
    "Umask": _umask,
    "TimeOut": _number(0),
    "ExitTimeOut": _number(0),
    "ThrottleInterval": _number(0),
    "InitGroups": _truth,
    "WatchPaths": _list_of(_absolute),
    "QueueDirectories": _list_of(_absolute),
    "StartOnMount": _truth,
    "StartInterval": _number(1),
    "StartCalendarInterval": _either(list, _list_of(_MOMENT, 1), _MOMENT),
    "StandardInPath": _absolute,
    "StandardOutPath": _absolute,
    "StandardErrorPath": _absolute,
    "Debug": _truth,
    "WaitForDebugger": _truth,
    "SoftResourceLimits": _LIMITS,
    "HardResourceLimits": _LIMITS,
    "Nice": _number(-20, 20),
    "ProcessType": _word("Standard", "Background", "Adaptive", "Interactive"),
    "AbandonProcessGroup": _truth,
    "LowPriorityIO": _truth,
    "LowPriorityBackgroundIO": _truth,
    "MaterializeDatalessFiles": _truth,
    "LaunchOnlyOnce": _truth,
    "MachServices": _map_of(_either(bool, _truth, _MACH_SERVICE)),
    "Sockets": _map_of(_either(list, _list_of(_SOCKET, 1), _SOCKET)),
    "LaunchEvents": _map_of(_map_of(_anything)),
    "HopefullyExitsLast": _truth,
    "HopefullyExitsFirst": _truth,
    "SessionCreate": _truth,
    "LegacyTimers": _truth,
    "AssociatedBundleIdentifiers": _either(list, _list_of(_text, 1), _filled_text),
    "SpawnConstraint": _anything,
}

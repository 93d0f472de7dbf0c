# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every key of launchd.plist(5), what may stand there, and what is said when something else does.

launchd itself ignores a key it does not know: `ExitTimeout` silently means the default of five
seconds. So a definition is checked here before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.schema import (
    Check,
    absolute_path,
    either,
    filled_text,
    list_of,
    map_of,
    members,
    number,
    text,
    truth,
    word,
)

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def check_plist(plist: Mapping[str, Any]) -> list[str]:
    """What is wrong with a definition, one sentence each; nothing when launchd will take it."""
    problems = list(members(KEYS, "launchd would ignore it")("", plist))
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


# --- kinds of values that only a property list has -------------------------------------------


def _in_xml(check: Check) -> Check:
    """A text that passes, and that a property list can hold."""

    def check_text(where: str, value: Any) -> Iterable[str]:
        yield from check(where, value)
        if isinstance(value, str) and _NOT_IN_XML.search(value):
            yield f"{where} contains a character that a property list cannot hold"

    return check_text


_text = _in_xml(text)
_filled_text = _in_xml(filled_text)
_absolute = _in_xml(absolute_path("launchd expands no '~'"))


def _map_of(check: Check) -> Check:
    return map_of(check, _filled_text)


def _umask(where: str, value: Any) -> Iterable[str]:
    if isinstance(value, str):
        if not re.fullmatch(r"0?[0-7]{1,4}|0x[0-9a-fA-F]{1,3}|[0-9]{1,4}", value):
            yield f"{where} must be a number or an octal text like '027', not {value!r}"
    else:
        yield from number(0, 0o777)(where, value)


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


# --- the table: launchd.plist(5) -------------------------------------------------------------

_SESSION = word("Aqua", "Background", "LoginWindow", "StandardIO", "System")
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
_LIMITS = members({name: number(0) for name in _LIMIT_NAMES})
_MOMENT = members(
    {
        "Minute": number(0, 59),
        "Hour": number(0, 23),
        "Day": number(1, 31),
        "Weekday": number(0, 7),
        "Month": number(1, 12),
    }
)
_KEEP_ALIVE = members(
    {
        "SuccessfulExit": truth,
        "Crashed": truth,
        "NetworkState": truth,
        "AfterInitialDemand": truth,
        "PathState": _map_of(truth),
        "OtherJobEnabled": _map_of(truth),
        "OtherJobActive": _map_of(truth),
    }
)
_MACH_SERVICE = members(
    {"ResetAtClose": truth, "HideUntilCheckIn": truth, "DrainMessagesOnCrash": _anything}
)
_SOCKET = members(
    {
        "SockType": word("stream", "dgram", "seqpacket"),
        "SockPassive": truth,
        "SockNodeName": _text,
        "SockServiceName": either(int, number(0, 65535), _text),
        "SockFamily": word("IPv4", "IPv6", "IPv4v6", "Unix"),
        "SockProtocol": word("TCP", "UDP"),
        "SockPathName": _absolute,
        "SecureSocketWithKey": _text,
        "SockPathOwner": number(0),
        "SockPathGroup": number(0),
        "SockPathMode": number(0),
        "Bonjour": _anything,
        "MulticastGroup": _text,
        "ReceivePacketInfo": truth,
    }
)

KEYS: Mapping[str, Check] = {
    "Label": _filled_text,
    "Disabled": truth,
    "UserName": _filled_text,
    "GroupName": _filled_text,
    "inetdCompatibility": members({"Wait": truth, "Instances": number(0)}),
    "LimitLoadToHosts": list_of(_text),
    "LimitLoadFromHosts": list_of(_text),
    "LimitLoadToSessionType": either(list, list_of(_SESSION, 1), _SESSION),
    "LimitLoadToHardware": _map_of(list_of(_text)),
    "LimitLoadFromHardware": _map_of(list_of(_text)),
    "Program": _absolute,
    "BundleProgram": _filled_text,
    "ProgramArguments": list_of(_text, 1),
    "EnableGlobbing": truth,
    "EnableTransactions": truth,
    "EnablePressuredExit": truth,
    "OnDemand": truth,
    "ServiceIPC": truth,
    "KeepAlive": either(bool, truth, _KEEP_ALIVE),
    "RunAtLoad": truth,
    "RootDirectory": _absolute,
    "WorkingDirectory": _absolute,
    "EnvironmentVariables": _map_of(_text),
    "Umask": _umask,
    "TimeOut": number(0),
    "ExitTimeOut": number(0),
    "ThrottleInterval": number(0),
    "InitGroups": truth,
    "WatchPaths": list_of(_absolute),
    "QueueDirectories": list_of(_absolute),
    "StartOnMount": truth,
    "StartInterval": number(1),
    "StartCalendarInterval": either(list, list_of(_MOMENT, 1), _MOMENT),
    "StandardInPath": _absolute,
    "StandardOutPath": _absolute,
    "StandardErrorPath": _absolute,
    "Debug": truth,
    "WaitForDebugger": truth,
    "SoftResourceLimits": _LIMITS,
    "HardResourceLimits": _LIMITS,
    "Nice": number(-20, 20),
    "ProcessType": word("Standard", "Background", "Adaptive", "Interactive"),
    "AbandonProcessGroup": truth,
    "LowPriorityIO": truth,
    "LowPriorityBackgroundIO": truth,
    "MaterializeDatalessFiles": truth,
    "LaunchOnlyOnce": truth,
    "MachServices": _map_of(either(bool, truth, _MACH_SERVICE)),
    "Sockets": _map_of(either(list, list_of(_SOCKET, 1), _SOCKET)),
    "LaunchEvents": _map_of(_map_of(_anything)),
    "HopefullyExitsLast": truth,
    "HopefullyExitsFirst": truth,
    "SessionCreate": truth,
    "LegacyTimers": truth,
    "AssociatedBundleIdentifiers": either(list, list_of(_text, 1), _filled_text),
    "SpawnConstraint": _anything,
}

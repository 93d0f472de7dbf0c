# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between a loaded job and its definition, by name.

The printed values are compared by name. A missing line is evidence only if the output is complete.
Numbers that the definition leaves to launchd are not compared. The stamp of our own definitions
detects differences in keys that launchd does not print.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import program_of
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import STARTED_WITH
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import (
    definition_of,
    read_stamp,
)

# Variables that launchd, sudo or a library put there, seen in transcripts of macOS 13 to 27.
_NOT_FROM_A_PLIST = re.compile(r"XPC_|OSLog|SUDO_|Malloc|SSH_AUTH_SOCK$|SECURITYSESSIONID$|_")

_TEXTS = {
    "working_directory": ("WorkingDirectory", "working directory"),
    "stdin_path": ("StandardInPath", "stdin path"),
    "stdout_path": ("StandardOutPath", "stdout path"),
    "stderr_path": ("StandardErrorPath", "stderr path"),
    "username": ("UserName", "username"),
    "groupname": ("GroupName", "group"),
}

_SEMAPHORES = {"SuccessfulExit": "successful exit", "Crashed": "after crash"}
_SPAWN_TYPES = {
    "Standard": "daemon",
    "Interactive": "interactive",
    "Background": "background",
    "Adaptive": "adaptive",
}


def loaded_drift(plist: Mapping[str, Any], path: str | None, job: Printout) -> list[str]:
    """Names of what differs between the definition (`plist`, read from `path`) and `job`.

    A job with the stamp of just this definition has it: then only the lines that every release
    prints alike are compared, since a reload for the way of printing would come with every run.
    """
    stamps = _stamp_drift(plist, job)
    found = []
    if path is not None and job.path is not None and not _same_path(path, job.path):
        found.append("path")
    found += _program_drift(plist, job)
    found += _environment_drift(plist, job)
    if stamps != []:
        found += _printed_drift(plist, job)
    # `definition` stands for what has no name of its own here
    return found + [name for name in stamps or [] if name != "definition" or not found]


def _printed_drift(plist: Mapping[str, Any], job: Printout) -> list[str]:
    found = [name for name, (key, line) in _TEXTS.items() if _text_differs(plist, key, line, job)]
    found += _number_drift(plist, job)
    found += ["keep_alive"] if _keep_alive_differs(plist, job) else []
    found += ["process_type"] if _process_type_differs(plist, job) else []
    return found + _schedule_drift(plist, job)


def _program_drift(plist: Mapping[str, Any], job: Printout) -> list[str]:
    found = []
    program, shown = program_of(plist), job.values.get("program")
    if program is not None and shown is not None and not _same_path(program, shown):
        found.append("program")
    wanted = plist.get("ProgramArguments")
    if wanted is None:
        # launchd runs Program with itself as the only argument
        if job.arguments is not None and len(job.arguments) > 1:
            found.append("arguments")
    elif job.arguments is not None:
        if not _same_arguments(list(wanted), list(job.arguments), job.indent * 2):
            found.append("arguments")
    elif job.complete:
        found.append("arguments")
    return found


def _same_arguments(wanted: list[str], shown: list[str], indent: str) -> bool:
    if not any("\n" in argument for argument in wanted):
        return wanted == shown
    # Arguments are printed raw: a later line of one that begins like an argument is read as one,
    # and a line that is only a brace ends the block early.
    wanted_lines = [
        _without(indent, line) if number else line
        for argument in wanted
        for number, line in enumerate(argument.split("\n"))
    ]
    shown_lines = "\n".join(shown).split("\n")
    brace = any(line.strip() == "}" for line in wanted_lines)
    length = len(shown_lines) if brace else len(wanted_lines)
    return bool(shown_lines) and wanted_lines[:length] == shown_lines


def _without(indent: str, line: str) -> str:
    return line[len(indent) :] if line.startswith(indent) else line


def _environment_drift(plist: Mapping[str, Any], job: Printout) -> list[str]:
    shown = job.environment
    if shown is None:
        return []
    wanted = dict(plist.get("EnvironmentVariables") or {})
    wanted.pop(STARTED_WITH, None)
    missing = any(_first_line(value) != shown.get(name) for name, value in wanted.items())
    return ["environment"] if missing or foreign_variables(plist, job) else []


def _stamp_drift(plist: Mapping[str, Any], job: Printout) -> list[str] | None:
    """The differences between the stamps of job and definition; None without a stamp."""
    if job.environment is None:
        return None
    wanted, shown = read_stamp(plist.get("EnvironmentVariables") or {}), read_stamp(job.environment)
    if wanted is None and shown is None:
        return None  # not our definition
    found = []
    if shown is None or shown.definition != definition_of(plist):
        found.append("definition")
    if (wanted.restart_on if wanted else "") != (shown.restart_on if shown else ""):
        found.append("restart_on")
    return found


def foreign_variables(plist: Mapping[str, Any], job: Printout) -> list[str]:
    """Names of variables of the loaded job that neither its definition nor launchd put there."""
    wanted = plist.get("EnvironmentVariables") or {}
    several_lines = any("\n" in value for value in wanted.values())
    if several_lines or not job.environment:
        return []
    return [
        name
        for name in job.environment
        if name not in wanted and name != STARTED_WITH and not _NOT_FROM_A_PLIST.match(name)
    ]


def _text_differs(plist: Mapping[str, Any], key: str, line: str, job: Printout) -> bool:
    wanted, shown = plist.get(key), job.values.get(line)
    if shown is None:
        return wanted is not None and job.complete and line != "group"
    if wanted is None:
        # launchd fills in the group of a user, and the user in a user's own domain
        return line != "group" and (line != "username" or job.target.startswith("system/"))
    return not _same_path(wanted, shown) if wanted.startswith("/") else wanted != shown


def _number_drift(plist: Mapping[str, Any], job: Printout) -> list[str]:
    pairs = {
        "exit_timeout": (plist.get("ExitTimeOut", plist.get("TimeOut")), job.exit_timeout),
        "minimum_runtime": (plist.get("ThrottleInterval"), job.throttle),
        "umask": (umask_of(plist), job.umask),
    }
    found = []
    for name, (wanted, shown) in pairs.items():
        # launchd ignores a throttle of 0, and 0 as exit timeout means for ever
        ignored = wanted == 0 and name != "umask"
        if wanted is not None and shown is not None and not ignored and wanted != shown:
            found.append(name)
    return found


def _keep_alive_differs(plist: Mapping[str, Any], job: Printout) -> bool:
    """`KeepAlive: true` prints as a property, conditions print as semaphores."""
    wanted = plist.get("KeepAlive", False)
    if not job.complete or "OnDemand" in plist:  # the old word for the opposite
        return False
    lines = [line.strip() for line in job.blocks.get("semaphores", ())]
    shown = {line for line in lines if line.startswith(tuple(_SEMAPHORES.values()))}
    always = "keepalive" in job.properties
    if isinstance(wanted, bool):
        return always is not wanted or bool(shown)
    expected = {
        f"{words} => {int(wanted[key])}" for key, words in _SEMAPHORES.items() if key in wanted
    }
    return always or shown != expected


def _process_type_differs(plist: Mapping[str, Any], job: Printout) -> bool:
    shown = job.values.get("spawn type", "").split(" ")[0]
    wanted = plist.get("ProcessType", "Standard")
    return shown in _SPAWN_TYPES.values() and shown != _SPAWN_TYPES[wanted]


def _schedule_drift(plist: Mapping[str, Any], job: Printout) -> list[str]:
    """StartInterval and RunAtLoad, where launchd shows them."""
    found = []
    shown = re.match(r"(\d+) seconds", job.values.get("run interval", ""))
    if shown is not None and int(shown.group(1)) != plist.get("StartInterval"):
        found.append("start_interval")
    # KeepAlive in any form implies RunAtLoad, so then the word proves nothing
    at_load = "runatload" in job.properties
    if at_load and not plist.get("RunAtLoad") and not plist.get("KeepAlive"):
        found.append("run_at_load")
    return found


def umask_of(plist: Mapping[str, Any]) -> int | None:
    """Umask as a number; a text is read the way strtoul(3) does, so '027' is octal."""
    umask = plist.get("Umask")
    if not isinstance(umask, str):
        return umask
    base = 16 if umask.startswith("0x") else 8 if umask.startswith("0") else 10
    return int(umask, base)


def _same_path(one: str, other: str) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _first_line(value: str) -> str:
    return value.split("\n", 1)[0]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job of the system domain starts, and who else could change that.

launchd starts it as root, or as the job's UserName. So the program, its interpreter, the folders
that it searches and works in, and every folder above them belong to root or to that user.
"""

from __future__ import annotations

import os
import posixpath
import pwd
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account, account_of
from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import program_of
from ansible_collections.closet.inference.plugins.module_utils.trusted import (
    UntrustedPathError,
    border_above,
    border_of_program,
)

# Lists of folders in which a program looks for what it runs.
SEARCHED = ("PATH", "PYTHONPATH", "PYTHONHOME", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES")
LOGS = ("StandardOutPath", "StandardErrorPath")
FIRST_LINE_BYTES = 256


def user_of(plist: Mapping[str, Any]) -> Account | None:
    """Who a job of the system domain runs as; None for root, or for a user that is not there."""
    try:
        uid = pwd.getpwnam(str(plist.get("UserName") or "root")).pw_uid
        return account_of(uid) if uid else None
    except (KeyError, UntrustedPathError):
        return None


def unsafe_parts(plist: Mapping[str, Any]) -> list[str]:
    """A sentence for each part of the job that another account than its own could change."""
    user = user_of(plist)
    trusted = () if user is None else (user.uid,)
    found = []
    for what, path in _parts(plist):
        try:
            border = border_of_program(path, trusted)
        except OSError:
            continue  # what is not there is told elsewhere
        if border is not None:
            found.append(
                f"{what} {path} can be changed by {border.who} ({border.path}), and the job runs "
                f"as {user.name if user else 'root'}; {border.remedy}"
            )
    return found


def _parts(plist: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    program = program_of(plist)
    if program and program.startswith("/"):
        yield "its program", program
        interpreter = _interpreter(program)
        if interpreter:
            yield "its interpreter", interpreter
    folder = plist.get("WorkingDirectory")
    if folder:
        yield "its working directory", str(folder)
    variables = plist.get("EnvironmentVariables") or {}
    for name in SEARCHED:
        for one in str(variables.get(name, "")).split(":"):
            if one.startswith("/"):
                yield f"in its {name}", one
    if user_of(plist) is None:
        for word in (plist.get("ProgramArguments") or [])[1:]:
            if str(word).startswith("/"):
                yield "its argument", str(word)


def _interpreter(program: str) -> str | None:
    """What a script names in its first line."""
    try:
        if border_of_program(program) is not None:
            return None  # refused already, and root reads nothing that another account has there
        with open(program, "rb") as stream:  # noqa: PTH123 - the first bytes of what may be large
            first = stream.read(FIRST_LINE_BYTES).split(b"\n")[0]
    except OSError:
        return None
    words = first[2:].split() if first.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words and words[0].startswith(b"/") else None


def missing_logs(plist: Mapping[str, Any]) -> tuple[str, ...]:
    """Logs of a job with a user of its own that only root can make, since the folder is root's."""
    if user_of(plist) is None:
        return ()
    logs = dict.fromkeys(str(plist[key]) for key in LOGS if plist.get(key))
    return tuple(
        log
        for log in logs
        if log.startswith("/") and not os.path.lexists(log) and _is_roots_open_folder(log)
    )


def _is_roots_open_folder(log: str) -> bool:
    """Whether the log would lie where root alone makes files and others may open them."""
    folder = Path(posixpath.dirname(log))
    enters = folder.is_dir() and folder.stat().st_mode & stat.S_IXOTH
    return bool(enters) and border_above(log) is None

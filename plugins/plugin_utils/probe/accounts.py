# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and groups as other programs' files take them. Pure.

Their numbers, as far as the facts have them: a name of a directory can hold spaces and
backslashes (`CORP\\Domain Users`), and cannot be looked up while the directory is away. newsyslog
then ends before it has rotated any log of the system, and sudo leaves the rule out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST_FIELDS = 960
_ALIAS = re.compile(r"[A-Z][A-Z0-9_]*")


class AccountNameError(ValueError):
    """A file of root's cannot express this name; the text says what to give instead."""


def uid_of(name: str, facts: Mapping[str, Any]) -> int | None:
    """The number of an account; None for one that was not asked of the Mac."""
    known = {
        facts.get("account"): facts.get("account_uid"),
        facts.get("user"): facts.get("uid"),
        "root": 0,
    }
    return int(name) if name.isdigit() else known.get(name)


def gid_of(name: str, facts: Mapping[str, Any]) -> int | None:
    """The same of a group."""
    known = {
        facts.get("account_group"): facts.get("account_gid"),
        facts.get("group"): facts.get("gid"),
        "wheel": 0,
    }
    return int(name) if name.isdigit() else known.get(name)


def newsyslog_fields(path: str, owner: str, group: str, facts: Mapping[str, Any]) -> str:
    """The log and who owns it, as the beginning of a line of newsyslog.conf(5)."""
    if re.search(r"\s", path) or not path.startswith("/"):
        raise AccountNameError(
            f"newsyslog cannot rotate {path!r}: a path there is absolute and has no white space"
        )
    who = _newsyslog_name(owner, uid_of(owner, facts), "id -u")
    whose = _newsyslog_name(group, gid_of(group, facts), "dscacheutil -q group -a name")
    escaped = path.replace("#", r"\#")
    fields = f"{escaped} {who}:{whose}"
    # it reads the rest of a line of more than 1023 bytes as a line of its own
    if not path.isprintable() or len(fields.encode()) > _LONGEST_FIELDS:
        raise AccountNameError(
            f"newsyslog cannot rotate {path!r}: with its owner and group a path there has "
            f"{_LONGEST_FIELDS} bytes at most, and no control characters"
        )
    return fields


def _newsyslog_name(name: str, number: int | None, command: str) -> str:
    if number is not None:
        return str(number)
    if not _PLAIN.fullmatch(name):
        raise AccountNameError(
            f"newsyslog cannot express the name {name!r}; give its number, which the Mac shows "
            f"with `{command} {shlex.quote(name)}`"
        )
    return name


def sudoers_user(name: str, facts: Mapping[str, Any]) -> str:
    """The user of a rule of sudoers(5)."""
    number = uid_of(name, facts)
    if number is not None:
        return f"#{number}"
    if not name or not name.isprintable() or _ALIAS.fullmatch(name):
        raise AccountNameError(
            f"sudo's rules cannot express the account {name!r}; give its number, which the Mac "
            f"shows with `id -u {shlex.quote(name)}`"
        )
    return sudoers_escaped(name)


def sudoers_escaped(name: str) -> str:
    """A name with a backslash before every character that means something in sudoers(5)."""
    return re.sub(r"([^A-Za-z0-9_.-])", r"\\\1", name)

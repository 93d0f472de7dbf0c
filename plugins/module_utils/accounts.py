# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of this host, by name and by number."""

from __future__ import annotations

import os
import pwd
import shlex
from dataclasses import dataclass

from ansible_collections.closet.inference.plugins.module_utils.trusted import (
    UntrustedPathError,
)


@dataclass(frozen=True)
class Account:
    """Whose rights; the groups are looked up before the fork, since macOS cannot after it."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str


class NoAccountError(ValueError):
    """This host has no account of that name."""


def account_named(name: str) -> Account:
    """The account of a name; raises NoAccountError."""
    try:
        return account_of(pwd.getpwnam(name).pw_uid)
    except KeyError:
        raise NoAccountError(f"this host has no account {name}") from None


def account_of(uid: int, path: str = "", folder: str = "") -> Account:
    """The account of a number; raises UntrustedPathError when this host has none for it.

    `folder` is what makes the account the one that acts at `path`.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise UntrustedPathError(
            path or f"uid {uid}",
            f"{folder or 'something'} belongs to uid {uid}, and no account of this host has that "
            f"number{_give(folder)}",
        ) from None
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    own = [entry.pw_gid, *(gid for gid in groups if gid != entry.pw_gid)]
    return Account(uid, entry.pw_gid, tuple(own[:GROUPS_AT_MOST]), entry.pw_name, entry.pw_dir)


GROUPS_AT_MOST = 16  # NGROUPS_MAX of macOS


def _give(folder: str) -> str:
    if not folder:
        return ""
    return f"; give it to root or to its user: `sudo chown root {shlex.quote(folder)}`"

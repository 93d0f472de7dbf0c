# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that root runs with the rights of another account.

The process has given up root before the program starts, so the kernel refuses it whatever the
account itself could not do. Nothing of root's environment comes along.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


class NoAccountError(ValueError):
    """The host does not know the account."""


@dataclass(frozen=True)
class Account:
    """Who a command runs as."""

    name: str
    uid: int
    gid: int


def account(name: str) -> Account:
    """Look an account up; raises NoAccountError."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise NoAccountError(f"this host has no account {name}") from None
    return Account(name, found.pw_uid, found.pw_gid)


class AccountRunner(Runner):
    """Runs commands as `who`, in the folder `home` and with nothing in the environment but that."""

    def __init__(self, who: Account, home: str) -> None:
        self.who, self.home = who, home

    def surroundings(self, env: Mapping[str, str]) -> dict[str, Any]:
        """The account's own; its primary group alone, which is what every macOS can set."""
        told = {"PATH": PATH, "HOME": self.home, "TMPDIR": self.home, "LC_ALL": "C", **env}
        how: dict[str, Any] = {"env": told, "cwd": self.home}
        if os.geteuid() == 0 and self.who.uid != 0:
            how.update(user=self.who.uid, group=self.who.gid, extra_groups=[self.who.gid])
        return how

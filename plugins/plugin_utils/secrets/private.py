# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the owner's private files beside all inventories of a run, and plans their repair."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import observe
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_plan import (
    Controller,
    Plan,
    plan,
)


def judged(
    folders: Iterable[Path], closets: Iterable[str], run: Invocation, check_mode: bool
) -> Plan:
    """The plan for `.secrets` and `.closet` in each of these folders."""
    found = Plan()
    uid = os.geteuid()
    for folder in folders:
        seen = observe(folder)
        uids = {uid, seen.inventory_uid, *(entry.uid for entry in seen.entries)}
        owners = {one: name for one in uids if (name := _account(one))}
        controller = Controller(
            tuple(closets),
            run,
            shlex.quote(owners[uid]) if uid in owners else "$USER",
            tuple(owners.items()),
        )
        found += plan(seen, controller, check_mode)
    return found


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile that was chosen with playbooks/profile.yml, kept beside the inventory.

The choice holds against the inventory's line as long as that line stays what it was when the
choice was made. Whoever edits closet_profile afterwards is the one who spoke last.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = ".closet"


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what the inventory said at the time."""

    profile: str
    inventory_profile: str

    def holds(self, inventory_profile: str) -> bool:
        """Whether the inventory still says what it said when this was chosen."""
        return self.inventory_profile == inventory_profile

    def text(self) -> str:
        """The content of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True)
class Wanted:
    """Which profile a closet is to serve, who says so, and whether that is written down."""

    profile: str
    chosen: bool
    remembered: bool


def path_of(inventory_dir: str, host: str) -> Path:
    """The file of one closet."""
    return Path(inventory_dir) / FOLDER / f"{host}.json"


def read(path: Path) -> Choice | None:
    """The choice in a file; None when there is none that can be read."""
    try:
        found = json.loads(path.read_text())
        return Choice(str(found["profile"]), str(found["inventory_profile"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unreadable(path: Path, command: str) -> str | None:
    """Why a choice that was made cannot be followed, or None; none made is no reason.

    `command` chooses the profile that the inventory names.
    """
    if not os.path.lexists(path) or read(path) is not None:
        return None
    return (
        f"{path} holds the profile that was chosen for this closet, and cannot be read: remove it "
        f"with `rm {shlex.quote(str(path))}` to go with closet_profile of the inventory, or choose "
        f"again, as in `{command}`"
    )


def settle(inventory_profile: str, asked: str, kept: Choice | None) -> Wanted:
    """Who wins: what this run asks for, then a choice that still holds, then the inventory."""
    if asked:
        return Wanted(asked, True, kept == Choice(asked, inventory_profile))
    if kept is not None and kept.holds(inventory_profile):
        return Wanted(kept.profile, True, True)
    return Wanted(inventory_profile, False, True)


def error(
    name: str,
    record: Mapping[str, Any],
    wanted: Mapping[str, Any],
    choose: Callable[[str], str],
) -> str | None:
    """Why a run must not switch: the closet serves what another checkout chose.

    `record` is what the closet says it serves, `wanted` the serving configuration of this run,
    `choose` the command that chooses a profile.
    """
    served = record.get("serving") or {}
    if not served.get("chosen") or wanted["chosen"] or served["profile"] == wanted["profile"]:
        return None
    if served.get("inventory_profile") != wanted["inventory_profile"]:
        return None  # the line was edited since: the inventory spoke last
    theirs, ours = served["profile"], wanted["profile"]
    return (
        f"{name} serves profile {theirs}, which was chosen from another checkout or under another "
        f"name of this closet, and this inventory says {ours}: run `{choose(theirs)}` to stay with "
        f"it, or `{choose(ours)}` to switch"
    )

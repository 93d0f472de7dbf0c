# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is at a path, the steps that change it, and the plan that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.module_utils.acting import Account


@dataclass(frozen=True)
class Have:
    """What is at a path now; `real` is where it really is, behind symbolic links of its parents."""

    real: str
    kind: str  # absent | file | link | directory | other
    data: bytes = b""
    target: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    names: tuple[str, ...] = ()  # in a directory
    parent: str = "directory"  # directory | absent | other
    writable: bool = True  # a file that can be replaced by one of the same owner


@dataclass(frozen=True)
class Scene:
    """The machine as far as the plan may know it; an id that is None is unknown here."""

    have: Mapping[str, Have]
    uids: Mapping[str, int | None]
    gids: Mapping[str, int | None]
    euid: int
    check_mode: bool
    accounts: Mapping[str, Account] = field(default_factory=dict)  # who acts, where not root does


@dataclass(frozen=True)
class Step:
    """One change to one path, with what is needed to take it back."""

    path: str
    action: str  # write | link | mkdir | attributes | unlink | rmdir
    have: Have
    data: bytes = b""
    target: str = ""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    validate: tuple[str, ...] = ()
    secret: bool = False
    bookkeeping: bool = False  # ours alone, and not told of


@dataclass
class Plan:
    """Steps in order. A problem stops everything; in check mode what an earlier task of the play
    may still bring about (a user, a parent folder) is a warning."""

    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

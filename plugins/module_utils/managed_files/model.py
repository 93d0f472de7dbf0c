# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a path, the steps that change it, and the plan of all steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.managed_files.merge import Entry


@dataclass(frozen=True)
class Have:
    """The present state of a path; `real` is the path with the links of its parents resolved."""

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
    """The facts of the host that the plan uses; an id of None does not exist on the host."""

    have: Mapping[str, Have]
    uids: Mapping[str, int | None]
    gids: Mapping[str, int | None]
    euid: int
    check_mode: bool
    accounts: Mapping[str, Account] = field(default_factory=dict)  # that act instead of root


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


class FilesRefusedError(ValueError):
    """The task asks for something that cannot be meant; nothing was touched."""


@dataclass(frozen=True)
class Edit:
    """One block or line inside a file; `text` None removes what `name` or `match` says."""

    kind: str  # block | line
    present: bool
    text: str | None
    name: str = ""  # of a block
    match: str | None = None  # of a line
    fits: str = ""  # what has to be true of the text around a block
    secret: bool = False


@dataclass(frozen=True)
class Want:
    """The wanted state of one path; None keeps the present value."""

    path: str
    kind: str  # file | edits | merge | link | directory | absent
    data: bytes = b""
    edits: tuple[Edit, ...] = ()
    entries: tuple[Entry, ...] = ()  # of a merge
    record: str = ""  # of a merge: the path of the file that says which entries are ours
    only: tuple[str, ...] | None = None  # of a directory: the names that may be in it
    target: str = ""
    owner: str | None = None
    group: str | None = None
    mode: int | None = None
    validate: tuple[str, ...] = ()
    secret: bool = False
    program: bool = False  # of a file: root's where only root can change the folder

    @property
    def state(self) -> str:
        """The word for results."""
        if self.kind == "edits":
            return "present" if any(edit.present for edit in self.edits) else "absent"
        if self.kind == "merge":
            return "present" if self.entries else "absent"
        return self.kind if self.kind in ("absent", "directory") else "present"


def digest(wants: Sequence[Want]) -> str:
    """Changes when, and only when, the wanted contents change; modes and owners are not in it."""
    told = [
        [
            want.path,
            want.kind,
            hashlib.sha256(want.data).hexdigest(),
            [[edit.kind, edit.present, edit.name, edit.match, edit.text] for edit in want.edits],
            want.target,
            *[[list(entry.place), entry.value] for entry in want.entries],
        ]
        for want in wants
    ]
    return hashlib.sha256(json.dumps(sorted(told), sort_keys=True).encode()).hexdigest()

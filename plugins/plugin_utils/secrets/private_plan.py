# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for the owner's private files beside the inventory; pure.

Modes of the owner's files are repaired. Files of other accounts are a warning with the command. An
entry that cannot be a key or leads out of its folder is refused.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keys import MAIN
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    EVERY_ACCOUNT,
    SECRETS,
    Entry,
    Repair,
    Seen,
)

KEY = ".key"
FOREIGN = (".authkey", ".apikey")
MCP = "mcp"
REVOKED = "revoked"


@dataclass(frozen=True)
class Controller:
    """What a run knows here: its closets, how it was started, and the name of its account."""

    closets: tuple[str, ...]
    run: Invocation = field(default_factory=Invocation)
    user: str = "$USER"
    """As a shell takes it."""
    owners: tuple[tuple[int, str], ...] = ()

    def owner(self, uid: int) -> str:
        """The name of an account, or its number."""
        return dict(self.owners).get(uid, f"uid {uid}")


@dataclass(frozen=True)
class Plan:
    """Errors, modes to change, and warnings."""

    errors: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(
            self.errors + other.errors,
            self.repairs + other.repairs,
            self.warnings + other.warnings,
        )


def plan(seen: Seen, controller: Controller, check_mode: bool = False) -> Plan:
    """Judge what lies beside one inventory."""
    refused = {
        entry.path: error
        for entry in seen.entries
        if (error := _error(entry, seen, controller)) is not None
    }
    repairs = tuple(filter(None, (_repair(entry, seen.uid) for entry in seen.entries)))
    warnings = [
        *_mended(seen, repairs, controller, check_mode),
        *_not_ours(seen, controller, refused),
        *_in_git(seen, controller),
        *_inventory(seen, controller),
    ]
    return Plan(tuple(refused.values()), repairs, tuple(warnings))


def _error(entry: Entry, seen: Seen, controller: Controller) -> str | None:
    path = shlex.quote(str(entry.path))
    wanted = _wanted_kind(entry, controller.closets)
    if entry.leads_to == "nothing":
        return f"{entry.path} is a link that leads nowhere: remove it with `rm {path}`"
    if entry.leads_to:
        return (
            f"{entry.path} is a link to {entry.leads_to}, which is outside of its folder; keys are "
            f"read and written inside alone: put what it leads to in its place "
            f"with `cp -RL {path} {path}.new && rm {path} && mv {path}.new {path}`"
        )
    if entry.kind == "link":
        return None  # the folder itself, kept elsewhere by its owner
    if wanted and entry.kind != wanted:
        return (
            f"{entry.path} is {_a(entry.kind)}, and {_a(wanted)} is expected there: move it away "
            f"with `mv -n {path} {path}.old`"
        )
    if not entry.readable and wanted and entry.uid != seen.uid:
        return (
            f"{entry.path} belongs to {controller.owner(entry.uid)} and cannot be read: run "
            f"`sudo chown {controller.user} {path}`"
        )
    return None


def _wanted_kind(entry: Entry, closets: Collection[str]) -> str:
    """What has to be at this place, empty for what we do not know."""
    if not entry.below:
        return "folder"
    first, *more = entry.below
    last = entry.below[-1]
    if entry.base != SECRETS:
        return "file" if last.endswith((".json", ".hujson")) else ""
    if last.endswith(KEY) or (not more and last.endswith(FOREIGN)):
        return "file"
    if first == MCP:
        return "file" if more else "folder"
    if first in closets and (not more or tuple(more) == (REVOKED,)):
        return "folder"
    return ""


def _repair(entry: Entry, uid: int) -> Repair | None:
    if entry.uid != uid or entry.linked or entry.kind not in ("file", "folder"):
        return None
    if entry.base != SECRETS:
        # no secret is in there, but whoever may write there chooses the profile
        after = entry.mode & ~0o022
        return Repair(entry.path, entry.mode, after) if after != entry.mode else None
    needs, right = (0o700, 0o700) if entry.kind == "folder" else (0o400, 0o600)
    if entry.mode & 0o077 or entry.mode & needs != needs:
        return Repair(entry.path, entry.mode, right)
    return None


def _mended(
    seen: Seen, repairs: Iterable[Repair], controller: Controller, check_mode: bool
) -> Iterator[str]:
    repairs = tuple(repairs)
    if not repairs:
        return
    verb = "A real run sets" if check_mode else "Set"
    modes = ", ".join(f"{one.path} from {one.before:04o} to {one.after:04o}" for one in repairs)
    yield f"others had rights to what is yours alone. {verb} the mode of {modes}"
    readable = [entry.below for entry in _exposed(seen)]
    if readable:
        yield (
            f"every account of this machine could read {_listed(seen, readable)}: "
            f"{_replace(readable, controller)}"
        )


def _exposed(seen: Seen) -> Iterator[Entry]:
    """Files of secrets whose mode, and that of each folder above them, let others read."""
    folders = {entry.below: entry for entry in seen.entries if _is(entry, "folder")}
    for entry in seen.entries:
        above = [folders.get(entry.below[:depth]) for depth in range(len(entry.below))]
        passable = all(folder is None or folder.mode & 0o011 for folder in above)
        if entry.below and _is(entry, "file") and entry.mode & 0o044 and passable:
            yield entry


def _is(entry: Entry, kind: str) -> bool:
    return entry.base == SECRETS and entry.kind == kind and not entry.linked


def _not_ours(seen: Seen, controller: Controller, refused: Collection[Path]) -> Iterator[str]:
    """Of what stays where it is: what is refused has a command of its own."""
    owners: dict[int, list[Path]] = {}
    for entry in seen.entries:
        if not {entry.path, *entry.path.parents}.isdisjoint(refused):
            continue
        if entry.uid != seen.uid and (entry.kind != "link" or entry.uid != 0):
            owners.setdefault(entry.uid, []).append(entry.path)
    for uid, paths in owners.items():
        words = " ".join(shlex.quote(str(path)) for path in paths)
        yield (
            f"{', '.join(map(str, paths))}: owned by {controller.owner(uid)}, who can read and "
            f"replace what is in there. Take it over: `sudo chown -h {controller.user} {words}`"
        )


def _in_git(seen: Seen, controller: Controller) -> Iterator[str]:
    if not seen.tracked:
        return
    paths = [str(seen.secrets.joinpath(*below)) for below in seen.tracked]
    words = " ".join(map(shlex.quote, paths))
    yield (
        f"git keeps {', '.join(paths)}: everyone who has the repository {seen.work_tree} has what "
        f"is in there, and its history keeps it. Run `git -C {shlex.quote(seen.work_tree)} rm "
        f"--cached {words}`, put .secrets/ into its .gitignore and commit; then "
        f"{_replace(seen.tracked, controller)}"
    )


def _inventory(seen: Seen, controller: Controller) -> Iterator[str]:
    if not seen.open_to:
        return
    path = shlex.quote(str(seen.inventory))
    bits = "o-w,g-w" if seen.open_to == EVERY_ACCOUNT else "g-w"
    sudo = "" if seen.inventory_uid == seen.uid else "sudo "
    yield (
        f"{seen.inventory}, which holds {SECRETS}, can be written by {seen.open_to}, who can put "
        f"another inventory and other keys there: `{sudo}chmod {bits} {path}`"
    )


def _listed(seen: Seen, files: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(str(seen.secrets.joinpath(*below)) for below in files)


def _replace(files: Collection[tuple[str, ...]], controller: Controller) -> str:
    """How to replace what was in the files, with commands of this run."""
    words: list[str] = []
    for closet in controller.closets:
        found = [name for below in files if (name := _key_of(below, closet))]
        names = sorted(found, key=lambda name: (name != MAIN, name))
        if names:
            hosts = [closet, *(name for name in names if name != MAIN)]
            limit = ("--limit", ",".join(hosts)) if len(controller.closets) > 1 else ()
            command = controller.run.playbook("site", "-e", f"rotate={','.join(names)}", *limit)
            words.append(f"replace the keys: `{command}`")
    if any(below[0] == MCP or below[-1].endswith(FOREIGN) for below in files):
        words.append("make the others anew where they come from")
    return "; ".join(words) or "what is in them opens nothing any more"


def _key_of(below: tuple[str, ...], closet: str) -> str:
    """Whose key of a closet a file is; empty when it is none that opens something."""
    if below == (f"{closet}{KEY}",):
        return MAIN
    if len(below) == 2 and below[0] == closet and below[1].endswith(KEY):
        return below[1][: -len(KEY)]
    return ""


def _a(kind: str) -> str:
    return {"folder": "a folder", "file": "a file", "other": "neither file nor folder"}[kind]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a home is a folder that only its user can change. Pure; see script.py.

macOS creates homes with mode 0750 or 0755, for the user and the group staff. Every local user is in
staff, so a group-writable home is writable for every account. On Linux the user is alone in its own
group. A link to another volume is allowed if root made it, because then only root can change it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ROOT = 0
HOPS = 5
"""How many links the script follows."""


@dataclass(frozen=True)
class Place:
    """One step on the way to a home: what lies at `path`, and the folder that it lies in.

    Modes are as ls writes them, empty for what is not there; numbers are None then.
    """

    who: str
    uid: int
    gid: int
    writable: bool
    folder_mode: str
    folder_owner: int | None
    mode: str
    owner: int | None
    group: int | None
    path: str

    @property
    def kind(self) -> str:
        return self.mode[:1]


def places(lines: Iterable[str]) -> tuple[Place, ...]:
    """From the lines of the script; one that is cut or strange is left out."""
    found = []
    for line in lines:
        fields = line.split(" ", 9)
        if len(fields) < 10 or not (fields[1].isdigit() and fields[2].isdigit()):
            continue
        who, uid, gid, writable, *seen, path = fields
        folder_mode, folder_owner, mode, owner, group = seen
        found.append(
            Place(
                who,
                int(uid),
                int(gid),
                writable != "no",
                _mode(folder_mode),
                _number(folder_owner),
                _mode(mode),
                _number(owner),
                _number(group),
                path,
            )
        )
    return tuple(found)


def errors(
    name: str, steps: Iterable[Place], is_linux: bool = False, own_group: bool = False
) -> list[str]:
    """Return an error for each home that cannot be worked in; the first reason for each.

    `own_group`: the user is alone in its group.
    """
    by_user: dict[str, list[Place]] = {}
    for step in steps:
        by_user.setdefault(step.who, []).append(step)
    found = []
    for way in by_user.values():
        first = next(_errors(name, way, is_linux, own_group), None)
        found += [first] if first else []
    return found


def _errors(name: str, way: list[Place], is_linux: bool, own_group: bool) -> Iterator[str]:
    first, last = way[0], way[-1]
    title = f"{name}: the home of {first.who}, {first.path},"
    for link in way:
        if link.kind == "l":
            yield from _link(name, title, link)
    real = shlex.quote(last.path)
    make = f"sudo install -d -o {last.uid} -g {last.gid} -m 0750 {real}"
    if last.kind == "l":
        yield f"{title} is a chain of more than {HOPS} links: make it one, or a folder"
    elif not last.kind and len(way) > 1:
        yield (
            f"{title} is a link to {last.path}, which is not there: mount the volume that holds "
            f"it, or on {name} run `sudo rm {shlex.quote(first.path)}` and make the home anew: "
            f"`sudo install -d -o {last.uid} -g {last.gid} -m 0750 {shlex.quote(first.path)}`"
        )
    elif not last.kind:
        yield f"{title} is not there: on {name} run `{make}`"
    elif last.kind != "d":
        yield (
            f"{title} is not a folder: on {name} run `sudo mv -n {real} "
            f"{shlex.quote(last.path + '.old')}`, then `{make}`"
        )
    else:
        yield from _folder(name, title, last, is_linux, own_group)


def _link(name: str, title: str, link: Place) -> Iterator[str]:
    if link.owner != ROOT:
        yield (
            f"{title} is reached by the link {link.path}, which belongs to the user {link.owner} "
            f"and not to root: when it is meant, on {name} run "
            f"`sudo chown -h root {shlex.quote(link.path)}`"
        )
    if link.folder_owner != ROOT or _others_write(link.folder_mode):
        folder = link.path.rpartition("/")[0] or "/"
        yield (
            f"{title} is reached by the link {link.path}, and others than root may replace it: its "
            f"folder {folder} belongs to the user {link.folder_owner} with mode "
            f"{link.folder_mode}. On {name} run `sudo chown root {shlex.quote(folder)}` and "
            f"`sudo chmod go-w {shlex.quote(folder)}`, or move the home out of it"
        )


def _folder(name: str, title: str, home: Place, is_linux: bool, own_group: bool) -> Iterator[str]:
    real, where = shlex.quote(home.path), f"(mode {home.mode}, owner {home.owner})"
    if home.owner != home.uid:
        yield (
            f"{title} belongs to the user {home.owner} and not to {home.who} ({home.uid}): "
            f"on {name} run `sudo chown {home.uid} {real}`"
        )
    among_themselves = own_group and home.group == home.gid
    if home.mode[8:9] == "w" or (home.mode[5:6] == "w" and not among_themselves):
        yield (
            f"{title} can be changed by other users {where}, who could put files of theirs in the "
            f"place of ours: on {name} run `sudo chmod go-w {real}`"
        )
    if _others_write(home.folder_mode, group=False):
        folder = home.path.rpartition("/")[0] or "/"
        yield (
            f"{title} lies in {folder}, where others may replace it (mode {home.folder_mode}): "
            f"on {name} run `sudo chmod o-w {shlex.quote(folder)}`"
        )
    if home.mode[1:4] != "rwx" and home.mode[1:4] != "rws":
        yield (
            f"{title} is not open to its own user {where}: on {name} run `sudo chmod u+rwx {real}`"
        )
    if not home.writable:
        yield (
            f"{title} cannot be written {where}: its volume is read-only, or the folder is locked. "
            f"On {name} `df {real}` and `mount` show the volume, and "
            + (f"`lsattr -d {real}`" if is_linux else f"`ls -ldO {real}`")
            + " shows a lock, which "
            + (f"`sudo chattr -i {real}`" if is_linux else f"`sudo chflags nouchg,noschg {real}`")
            + " takes away"
        )


def _others_write(mode: str, group: bool = True) -> bool:
    """Whether others may replace what lies in a folder; a sticky one lets only its owner."""
    if mode[9:10] in ("t", "T"):
        return False
    return mode[8:9] == "w" or (group and mode[5:6] == "w")


def _mode(field: str) -> str:
    """Without the mark for an access list or attributes behind it."""
    return "" if field == "-" else field[:10]


def _number(field: str) -> int | None:
    return int(field) if field.isdigit() else None

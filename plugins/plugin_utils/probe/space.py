# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the disks have the room that a run needs before anything of it is a sentence. Pure.

A module is unpacked before its first line runs, so on a full disk Ansible shows a traceback. Models
are not counted here: omlx_model knows their sizes and refuses them itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends

# MiB. Measured in the lab: a module unpacks less than 1, logs of all jobs are kept below 60, and
# opencode takes 177. It is counted twice, as the programs of the backends are: each is fetched and
# unpacked before the old one goes.
UNPACK_MB = 32
LOGS_MB = 64
ROOM_MB = 64
OPENCODE_MB = 360


@dataclass(frozen=True)
class Disk:
    """The volume that holds `path`: its name, and what is free in MiB."""

    path: str
    free_mb: int
    volume: str


def disks(lines: Iterable[str]) -> tuple[Disk, ...]:
    """From lines `path free-KiB volume`, `path` without blanks; others are left out."""
    found = []
    for line in lines:
        path, _space, rest = line.partition(" ")
        free, _space, volume = rest.partition(" ")
        if free.isdigit() and volume:
            found.append(Disk(path, int(free) // 1024, volume))
    return tuple(found)


def missing_programs(installed: Iterable[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Of the programs that a host has to have, those of which no version is complete, with MiB."""
    here = {entry.partition("/")[0] for entry in installed}
    return {program: size for program, size in wanted.items() if program not in here}


def wanted_programs(backend: str, is_client: bool) -> dict[str, int]:
    """What a closet of this backend, or a laptop, has under /opt/closet, MiB by name."""
    found = dict(backends()[backend].disk_mb) if backend in backends() else {}
    return {**found, **({"opencode": OPENCODE_MB} if is_client else {})}


def errors(name: str, seen: Iterable[Disk], programs: Mapping[str, int]) -> list[str]:
    """Return an error for each volume that is too full; what shares one is added up."""
    needs = {
        "/tmp": (UNPACK_MB, "modules are unpacked there"),
        "/var": (LOGS_MB, "logs are kept there"),
        "/opt": (
            ROOM_MB + sum(programs.values()),
            f"{', '.join(programs)} will be installed there"
            if programs
            else "programs are kept there",
        ),
        "home": (ROOM_MB, "settings are kept there"),
    }
    volumes: dict[str, list[Disk]] = {}
    for disk in seen:
        if disk.path in needs:
            volumes.setdefault(disk.volume, []).append(disk)
    found = []
    for volume, held in volumes.items():
        free, need = held[0].free_mb, sum(needs[disk.path][0] for disk in held)
        if free < need:
            why = "; ".join(f"{disk.path}: {needs[disk.path][1]}" for disk in held)
            found.append(
                f"{name}: the disk of {' and '.join(disk.path for disk in held)} ({volume}) has "
                f"{free} MiB free, and a run needs {need} MiB ({why}). See on {name} what takes "
                f"it with `sudo du -xhd 2 {shlex.quote(volume)} | sort -h | tail`, and remove some"
            )
    return found

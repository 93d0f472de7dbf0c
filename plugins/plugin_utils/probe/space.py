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

# MiB. Measured in the lab: a module unpacks less than 1, logs of all jobs are kept below 60, and
# these are what the programs take: uv 56 and its cache 8, omlx 458, mlx_lm 307, the gateway 50,
# opencode 177. Each is counted twice, since it is fetched and unpacked before the old one goes.
UNPACK_MB = 32
LOGS_MB = 64
ROOM_MB = 64
PROGRAMS_MB: Mapping[str, int] = {
    "uv": 128,
    "omlx": 920,
    "mlx_lm": 620,
    "gateway": 100,
    "ollama": 1024,  # not measured: its archives for the Mac are of 100 to 500
    "opencode": 360,
}
BEHIND_GATEWAY = ("mlx_lm", "ollama")


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


def missing_programs(installed: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Of the programs that a host needs, those of which no version is complete."""
    here = {entry.partition("/")[0] for entry in installed}
    return [program for program in wanted if program not in here]


def wanted_programs(backend: str, is_client: bool) -> list[str]:
    """What a closet of this backend, or a laptop, has under /opt/closet."""
    found = []
    if backend in ("omlx", "mlx_lm"):
        found.append("uv")
    if backend:
        found.append(backend)
    if backend in BEHIND_GATEWAY:
        found.append("gateway")
    return found + (["opencode"] if is_client else [])


def errors(name: str, seen: Iterable[Disk], to_install: Iterable[str]) -> list[str]:
    """Return an error for each volume that is too full; what shares one is added up."""
    programs = list(to_install)
    needs = {
        "/tmp": (UNPACK_MB, "modules are unpacked there"),
        "/var": (LOGS_MB, "logs are kept there"),
        "/opt": (
            ROOM_MB + sum(PROGRAMS_MB.get(program, 0) for program in programs),
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

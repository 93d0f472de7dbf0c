# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of `tailscale serve` are ours: tailscaled keeps no note of who asked for one.

Written before a port is served and after one is not, so that a run that is cut off forgets none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import (
    remove_file,
    write_atomic,
)


def read(path: str) -> frozenset[int]:
    """The ports that are ours; none where there is no record, or none that can be read."""
    try:
        ports = json.loads(Path(path).read_text(encoding="utf-8"))["ports"]
        return frozenset(int(port) for port in ports)
    except (OSError, ValueError, TypeError, KeyError):
        return frozenset()


def write(path: str, ports: Iterable[int]) -> None:
    """Keep these ports as ours; without any there is no record."""
    kept = sorted(ports)
    if not kept:
        remove_file(path)
        return
    Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomic(path, f"{json.dumps({'ports': kept})}\n".encode())

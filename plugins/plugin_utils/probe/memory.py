# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory the GPU of a Mac may wire, in MiB, from the memory the machine has.

Measured defaults of current macOS (Metal's recommended working set, wired limit left at 0):
16 GB 12124 MiB, 64 GB 53084 MiB, 128 GB 110100 MiB; see docs/memory.md for the sources.
"""

from __future__ import annotations

import math

RESERVE_SHARE = 0.10
RESERVE_MIN_MB = 4 * 1024
RESERVE_MAX_MB = 16 * 1024
MIB_PER_GB = 1e9 / (1024 * 1024)
# The last macOS that is reported to give two thirds to three quarters.
OLD_SHARE_MACOS = 14
OLD_SHARE = 0.75


def default_limit_mb(memory_mb: int, macos: str | None = None) -> int:
    """Estimate what macOS gives by itself, from the measured values, never too low."""
    if macos and macos.split(".")[0].isdigit() and int(macos.split(".")[0]) <= OLD_SHARE_MACOS:
        share = OLD_SHARE
    elif memory_mb <= 36 * 1024:
        share = 0.75
    elif memory_mb <= 64 * 1024:
        share = 0.82
    else:
        share = 0.86
    return int(memory_mb * share)


def wired_limit_mb(memory_mb: int, reserve_gb: float = 0, macos: str | None = None) -> int:
    """Return the limit we set: all but a reserve for macOS, never below its own default.

    A reserve that was given (10^9 bytes, above 0) is taken at its word; `error` judges it.
    """
    if reserve_gb > 0:
        return memory_mb - math.ceil(reserve_gb * MIB_PER_GB)
    reserve = min(RESERVE_MAX_MB, max(RESERVE_MIN_MB, int(memory_mb * RESERVE_SHARE)))
    return max(memory_mb - reserve, default_limit_mb(memory_mb, macos))


def error(
    name: str,
    memory_mb: int,
    limit_mb: int,
    may_be_lower: bool = False,
    reserve_gb: float = 0,
    macos: str | None = None,
) -> str | None:
    """Return why this limit must not be set, or None. Neither 0 nor less is ever a limit."""
    own = default_limit_mb(memory_mb, macos)
    asks = f"wired_memory_limit_mb is {limit_mb}"
    if reserve_gb > 0:
        asks = f"wired_memory_reserve_gb is {reserve_gb:g}, which leaves a limit of {limit_mb} MiB"
    if reserve_gb * MIB_PER_GB >= memory_mb:
        return (
            f"{name}: wired_memory_reserve_gb is {reserve_gb:g}, and the Mac has "
            f"{memory_mb / MIB_PER_GB:.1f} GB in all: leave macOS 8 to 16"
        )
    if limit_mb >= memory_mb:
        return (
            f"{name}: {asks}, and it must be below the memory of {memory_mb} MiB: with nothing "
            "left, macOS hangs or panics; leave it 8 to 16 GB"
        )
    if limit_mb <= 0:
        return f"{name}: {asks}, which is no limit"
    if limit_mb < own and not may_be_lower:
        return (
            f"{name}: {asks}, and that would lower the limit: macOS {macos or ''} gives a Mac with "
            f"{memory_mb // 1024} GB about {own} MiB by itself, as we estimate it. Take the line "
            f"out, then {wired_limit_mb(memory_mb, macos=macos)} is set, or say "
            "wired_memory_may_be_lower: true".replace("macOS  gives", "macOS gives")
        )
    return None

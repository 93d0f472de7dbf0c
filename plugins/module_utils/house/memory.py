# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory the GPU of a Mac may wire, in MiB, from the memory the machine has.

Measured defaults of current macOS (Metal's recommended working set, wired limit left at 0):
16 GB 12124 MiB, 64 GB 53084 MiB, 128 GB 110100 MiB; see docs/memory.md for the sources.
"""

from __future__ import annotations

RESERVE_SHARE = 0.10
RESERVE_MIN_MB = 4 * 1024
RESERVE_MAX_MB = 16 * 1024


def default_limit_mb(memory_mb: int) -> int:
    """Estimate what macOS gives by itself, from the measured values, never too low."""
    if memory_mb <= 36 * 1024:
        share = 0.75
    elif memory_mb <= 64 * 1024:
        share = 0.82
    else:
        share = 0.86
    return int(memory_mb * share)


def wired_limit_mb(memory_mb: int) -> int:
    """Return the limit we set: all but a reserve for macOS, never below its own default."""
    reserve = min(RESERVE_MAX_MB, max(RESERVE_MIN_MB, int(memory_mb * RESERVE_SHARE)))
    return max(memory_mb - reserve, default_limit_mb(memory_mb))

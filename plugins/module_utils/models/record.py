# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress record of a run, read and put into words. Pure but for reading the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.files import read_linked

VERSION = 1
UNITS = ((1000**3, "GB"), (1000**2, "MB"), (1000, "kB"))

Record = Mapping[str, Any]


def read_record(path: Path) -> Record | None:
    try:
        return parse_record(read_linked(path).decode())
    except (OSError, UnicodeDecodeError):
        return None


def parse_record(text: str) -> Record | None:
    """The record, or None for anything that is not one."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("version") != VERSION:
        return None
    numbers = [record.get(key) for key in ("bytes", "done", "rate_bytes_per_s", "pid")]
    fine = all(isinstance(number, int) for number in numbers)
    return record if fine and isinstance(record.get("models"), list) else None


def describe_record(record: Record | None) -> str:
    """`qwen3 (2 of 5): 43 %, 18.6 of 43.1 GB, 11.8 MB/s, 34 min left`; empty without one."""
    if record is None:
        return ""
    parts = [_how_far(record)] if record["bytes"] else []
    waits = record.get("waits")
    if isinstance(waits, dict) and isinstance(waits.get("left_s"), (int, float)):
        parts.append(f"waits for {waits.get('for')}, {in_time(waits['left_s'])} left")
    elif record["rate_bytes_per_s"]:
        parts.append(f"{in_units(record['rate_bytes_per_s'])}/s")
        left = record.get("left_s")
        if isinstance(left, (int, float)):
            parts.append(f"{in_time(left)} left")
    return f"{_which(record)}{', '.join(parts)}"


def percent(done: int, size: int) -> int:
    """Whole percent, and 100 only when nothing is missing."""
    return 100 if done >= size else max(0, done * 100 // size)


def in_units(size: float) -> str:
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{int(size)} bytes"


def in_time(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _which(record: Record) -> str:
    """The model at work: the first that is not whole, as models come one after the other."""
    models = record["models"]
    for number, model in enumerate(models, start=1):
        if isinstance(model.get("bytes"), int) and model["done"] < model["bytes"]:
            place = f" ({number} of {len(models)})" if len(models) > 1 else ""
            return f"{model['name']}{place}: "
    return ""


def _how_far(record: Record) -> str:
    done, size = record["done"], record["bytes"]
    return f"{percent(done, size)} %, {in_units(done)} of {in_units(size)}"

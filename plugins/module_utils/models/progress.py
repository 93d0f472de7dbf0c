# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a run: one small JSON file, replaced as a whole, and its text for people.

Progress writes it on the host; read_record() and describe_record() read it, also on the controller.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.files import (
    read_linked,
    write_atomic,
)

EVERY_S = 1.0
RATE_OVER_S = 15.0  # long enough for a steady rate, short enough to notice a lost connection

Clock = Callable[[], float]


class Progress:
    """Counts bytes per model, from several threads. Failing to write the file is not an error."""

    def __init__(self, path: Path | None, wall: Clock, clock: Clock) -> None:
        self._path = path
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at = float("-inf")
        self._seen: deque[tuple[float, int]] = deque()
        self._state = "planning"
        self._models: dict[str, dict[str, object]] = {}
        self._done: dict[str, int] = {}
        self._fetched: dict[str, int] = {}
        self._waits: dict[str, object] | None = None
        self._waited = False

    @property
    def waited(self) -> bool:
        """Whether a wait was recorded, so that the file may exist."""
        return self._waited

    def waits(self, seconds: float, what: str) -> None:
        """Record a wait of `seconds` more; 0 ends it. The last call of several threads counts."""
        with self._lock:
            self._waited = True
            self._waits = {"for": what, "left_s": round(seconds)} if seconds > 0 else None
            record = self._record()
        self._write(record)

    def begin(self, models: Iterable[tuple[str, str, int | None, int | None]]) -> None:
        """Begin the pull of models: (served name, repository, size, missing bytes) of each."""
        with self._lock:
            self._seen.append((self._clock(), 0))
            for name, repo, size, missing in models:
                self._models[name] = {"repo": repo, "bytes": size}
                self._done[name] = (size or 0) - (missing or 0)
                self._fetched[name] = 0
        self.enter("pulling")

    def enter(self, state: str) -> None:
        with self._lock:
            self._state = state
            record = self._record()
        self._write(record)

    def add(self, name: str, fetched: int, done: int) -> None:
        """`fetched` bytes arrived from the network; the model grew by `done` on the disk."""
        with self._lock:
            self._fetched[name] = self._fetched.get(name, 0) + fetched
            self._done[name] = self._done.get(name, 0) + done
            due = self._clock() - self._written_at >= EVERY_S
            record = self._record() if due else None
        if record is not None:
            self._write(record)

    def fetched(self, name: str) -> int:
        with self._lock:
            return self._fetched.get(name, 0)

    def _write(self, record: dict[str, object]) -> None:
        """Called without the lock, so that counting threads do not wait for the disk."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                write_atomic(self._path, (json.dumps(record) + "\n").encode(), lasting=False)

    def _record(self) -> dict[str, object]:
        self._written_at = self._clock()
        rate = self._rate()
        total = sum(
            size for model in self._models.values() if isinstance(size := model["bytes"], int)
        )
        done = sum(self._done.values())
        models = [
            {"name": name, **model, "done": self._done[name], "fetched": self._fetched[name]}
            for name, model in self._models.items()
        ]
        return {
            "version": VERSION,
            "state": self._state,
            "pid": os.getpid(),
            "updated": round(self._wall(), 3),
            "bytes": total,
            "done": done,
            "rate_bytes_per_s": round(rate),
            "left_s": round((total - done) / rate) if rate > 0 else None,
            "waits": self._waits,
            "models": models,
        }

    def _rate(self) -> float:
        """Bytes per second over the last seconds; called once per record."""
        now, fetched = self._clock(), sum(self._fetched.values())
        self._seen.append((now, fetched))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_OVER_S:
            self._seen.popleft()
        then, before = self._seen[0]
        return (fetched - before) / (now - then) if now > then else 0.0


VERSION = 1

UNITS = ((1000**3, "GB"), (1000**2, "MB"), (1000, "kB"))

Record = Mapping[str, Any]


def read_record(path: Path) -> Record | None:
    try:
        return parse_record(read_linked(path).decode())
    except (OSError, UnicodeDecodeError):
        return None


def parse_record(text: str) -> Record | None:
    """The record, or None if it is invalid."""
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
    parts = [_amount(record)] if record["bytes"] else []
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
    """Whole percent; 100 only if nothing is missing."""
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
    """The current model: the first incomplete one, since models are pulled one after another."""
    models = record["models"]
    for number, model in enumerate(models, start=1):
        if isinstance(model.get("bytes"), int) and model["done"] < model["bytes"]:
            place = f" ({number} of {len(models)})" if len(models) > 1 else ""
            return f"{model['name']}{place}: "
    return ""


def _amount(record: Record) -> str:
    done, size = record["done"], record["bytes"]
    return f"{percent(done, size)} %, {in_units(done)} of {in_units(size)}"

"""What a lab host has been told to do worse than usual: one small JSON file, read at every verb.

{"teardown_delay_s": 20, "fail_bootstrap_once": 5, "gui_sessions": [501]} and so on.
Keys that end in `_once` are taken out of the file when they have struck.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Faults:
    """Each default is a healthy Mac without anybody logged in at its screen."""

    verb_delay_s: float = 0.0  # launchctl answers that much later
    spawn_delay_s: float = 0.0  # a job that shall start sits in `spawn scheduled` that long
    teardown_delay_s: float = 0.0  # a booted-out process that is dead stays listed that long
    clock_offset_s: float = 0.0  # moves the clock of throttles, intervals and calendars
    bootstrap_busy_code: int = 5  # answer while the old instance is torn down: 5 or 37
    drop_early_bootstrap: bool = False  # accept such a bootstrap, then lose it with the old job
    bootout_in_progress: bool = False  # answer 36 while the process lives, as macOS 10.15-11 did
    fail_bootstrap_once: int = 0  # the next bootstrap fails with this number
    lose_job_once: str = ""  # this label vanishes at the next verb
    stale_definition_once: str = ""  # the next bootstrap of this label runs its old definition
    fail_bootout_once: int = 0  # the next bootout fails with this number
    fail_kickstart_once: int = 0  # the next kickstart likewise
    ends_well_on_sigterm: tuple[str, ...] = ()  # labels whose death of SIGTERM counts as exit 0
    jetsam_on_sigkill: tuple[str, ...] = ()  # labels whose death of SIGKILL counts as jetsam's
    gui_sessions: tuple[int, ...] = ()  # uids that own the screen: their gui/UID exists


_ITEMS = {"gui_sessions": int, "ends_well_on_sigterm": str, "jetsam_on_sigkill": str}


def _fits(name: str, value: Any, default: Any) -> bool:
    """A wrong type must not reach pid 1, which would take the whole Mac with it."""
    if name in _ITEMS:
        return isinstance(value, list) and all(type(item) is _ITEMS[name] for item in value)
    if isinstance(default, float):
        return type(value) in (int, float)
    return type(value) is type(default)


def load(path: Path) -> Faults:
    """Read the file; a missing or broken one means no faults."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Faults()
    if not isinstance(raw, dict):
        return Faults()
    chosen: dict[str, Any] = {
        known.name: tuple(raw[known.name]) if isinstance(known.default, tuple) else raw[known.name]
        for known in fields(Faults)
        if known.name in raw and _fits(known.name, raw[known.name], known.default)
    }
    return Faults(**chosen)


def strike(path: Path, key: str) -> None:
    """Take a `_once` key out of the file, so that it does not happen twice."""
    with contextlib.suppress(OSError, ValueError):
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw.pop(key, None)
        path.write_text(json.dumps(raw), encoding="utf-8")

"""The machine launchd runs on: its paths, its clock, its macOS release and its faults.

Everything hangs below one root folder, so that an ordinary process can be launchd in a test.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import faults


@dataclass(frozen=True)
class Moment:
    """One instant on both clocks: monotonic for throttles and timeouts, wall for calendars."""

    now: float
    wall: float


class Clock:
    """The time, which a test or a fault file may push forward."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def moment(self) -> Moment:
        return Moment(time.monotonic() + self.offset_s, time.time() + self.offset_s)


@dataclass(frozen=True)
class Host:
    """Where launchd finds and leaves things."""

    root: Path = Path("/")
    clock: Clock = field(default_factory=Clock)
    macos: tuple[int, ...] = (26, 5, 1)

    @property
    def major(self) -> int:
        return self.macos[0]

    @property
    def socket(self) -> Path:
        return self.root / "var/run/launchd.sock"

    @property
    def overrides(self) -> Path:
        return self.root / "var/db/com.apple.xpc.launchd"

    @property
    def log(self) -> Path:
        return self.root / "var/log/com.apple.xpc.launchd/launchd.log"

    @property
    def fault_file(self) -> Path:
        return self.root / "var/db/closet-lab/launchd.json"

    @property
    def daemon_folders(self) -> tuple[Path, ...]:
        """Where plists are looked for at boot, in that order."""
        return (
            self.root / "System/Library/LaunchDaemons",
            self.root / "Library/LaunchDaemons",
        )

    def faults(self) -> faults.Faults:
        """Read the fault file now, and let the clock follow it."""
        current = faults.load(self.fault_file)
        self.clock.offset_s = current.clock_offset_s
        return current


def describe(root: Path) -> Host:
    """Build the host from the file that says which Mac this is; without one, a current macOS."""
    try:
        text = (root / "usr/libexec/closet-lab/mac.json").read_text(encoding="utf-8")
        release = tuple(int(part) for part in str(json.loads(text)["macos"]).split("."))
    except (OSError, ValueError, KeyError):
        return Host(root)
    return Host(root, macos=release)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How progress is shown on the controller: one live line on a terminal, lines in a log.

Each host has a process of its own there. On a terminal they share one line, so each leaves what it
has to say in a folder of the run, and whoever speaks next says it for all.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Optional

from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic

LINE_EVERY_S = 5.0
PREFIX = "closet-pull."
CLEAR = "\r\x1b[2K"
BETWEEN = " | "

Output = Optional[tuple[str, bool]]
"""What to write, and whether a new line comes after it."""


class ProgressLine:
    """One host's voice. `folder` is one that all hosts of the run share."""

    def __init__(self, host: str, terminal: bool, columns: int, folder: str) -> None:
        self._host = host
        self._terminal = terminal
        self._columns = columns
        self._path = Path(folder, f"{PREFIX}{os.getpid()}")
        self._last_at = float("-inf")
        self._last = ""

    def shown(self, message: str, now: float) -> Output:
        """What to write now, if anything; `now` is a clock in seconds."""
        if not message:
            return None
        line = f"{self._host}: {message}"
        if self._terminal:
            with contextlib.suppress(OSError):
                write_atomic(self._path, line.encode(), 0o600)
            return CLEAR + shorten(BETWEEN.join(self._all() or [line]), self._columns), False
        if line == self._last or now - self._last_at < LINE_EVERY_S:
            return None
        self._last, self._last_at = line, now
        return line, True

    def close(self) -> Output:
        """Nothing of ours stays on the line."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        return (CLEAR, False) if self._terminal else None

    def _all(self) -> list[str]:
        lines = []
        for path in sorted(self._path.parent.glob(f"{PREFIX}*")):
            with contextlib.suppress(OSError):
                lines.append(path.read_text())
        return sorted(lines)


def shorten(line: str, columns: int) -> str:
    """A line that is as wide as the terminal would wrap, and could not be cleared again."""
    return line if len(line) < columns else f"{line[: max(1, columns - 2)]}…"

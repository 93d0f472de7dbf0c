"""launchd's own log, with the phrases of macOS (facts, section 1.5)."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path


class Logbook:
    """Appends lines to launchd.log; a full disk never stops pid 1."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, subject: str, text: str) -> None:
        """Write one line about a domain (`system`) or a service (`system/com.example`)."""
        stamp = datetime.now().isoformat(sep=" ", timespec="microseconds")
        line = f"{stamp} ({subject}) <Notice>: {text}\n"
        try:
            os.write(self._descriptor, line.encode(errors="replace"))
        except OSError:
            return

"""How many bytes of each file left the hub, to whom: counted while they leave.

The counts live in small files that are written with every piece, so that a hub that is killed in
the middle of a file has not forgotten what it sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

WIDTH = 20


class Count:
    """One answer's bytes; adds to the file's count as they leave."""

    def __init__(self, served: Served, key: tuple[str, str, str]) -> None:
        self._served = served
        self._key = key

    def add(self, sent: int) -> None:
        """`sent` more bytes were handed to the network."""
        self._served.add(self._key, sent, requests=0)


class Served:
    """Bytes and requests by repository, path and client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], list[int]] = {}
        for path in sorted(folder.glob("*.count")):
            numbers, _, key = path.read_text(encoding="utf-8").partition("\n")
            repo, file, client = json.loads(key)
            self._rows[(repo, file, client)] = [int(word) for word in numbers.split()]

    def begin(self, repo: str, path: str, client: str) -> Count:
        """An answer with this file's content is about to start."""
        key = (repo, path, client)
        self.add(key, 0, requests=1)
        return Count(self, key)

    def add(self, key: tuple[str, str, str], sent: int, *, requests: int) -> None:
        """Write the new count down at once."""
        with self._lock:
            row = self._rows.setdefault(key, [0, 0])
            row[0] += sent
            row[1] += requests
            self._write(key, row)

    def listing(self) -> list[dict[str, Any]]:
        """Every count, in order."""
        with self._lock:
            return [
                {"repo": repo, "path": path, "client": client, "bytes": sent, "requests": requests}
                for (repo, path, client), (sent, requests) in sorted(self._rows.items())
            ]

    def forget(self) -> int:
        """Start counting anew; how many counts there were."""
        with self._lock:
            known = len(self._rows)
            self._rows.clear()
            for path in self._folder.glob("*.count"):
                path.unlink()
            return known

    def _write(self, key: tuple[str, str, str], row: list[int]) -> None:
        name = hashlib.sha1(json.dumps(key).encode()).hexdigest()
        text = f"{row[0]:0{WIDTH}d} {row[1]:0{WIDTH}d}\n{json.dumps(key)}"
        self._folder.mkdir(parents=True, exist_ok=True)
        # in place and of one length: a kill leaves the old count or the new one
        descriptor = os.open(self._folder / f"{name}.count", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, text.encode(), 0)
        finally:
            os.close(descriptor)

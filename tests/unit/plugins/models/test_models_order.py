# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who fetches what: a thread for each file, and help for the last ones; what is written when."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models import fetch as fetch_module
from ansible_collections.closet.inference.plugins.module_utils.models import (
    journal as journal_module,
)
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    journal_path,
    part_path,
)
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher, FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.journal import parse_journal
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    SHA256,
    FileEntry,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.transport import Response

PIECE = 256
SEGMENT = 4 * PIECE
SEGMENTS = 4
CONTENT = bytes(n * 7 % 251 for n in range(SEGMENT * SEGMENTS))


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(journal_module, "SMALLEST_SEGMENT", SEGMENT)
    monkeypatch.setattr(journal_module, "LARGEST_SEGMENT", SEGMENT)


class Part:
    """One range of CONTENT, in chunks of a given size."""

    def __init__(self, start: int, end: int, chunk: int) -> None:
        self.url = "http://hub/file"
        self.status = 206
        self.headers: Mapping[str, str] = {
            "content-range": f"bytes {start}-{end - 1}/{len(CONTENT)}"
        }
        self.first_headers: Mapping[str, str] = self.headers
        self._start, self._end, self._chunk = start, end, chunk

    def chunks(self) -> Iterator[bytes]:
        for at in range(self._start, self._end, self._chunk):
            yield CONTENT[at : min(at + self._chunk, self._end)]

    def close(self) -> None:
        """Nothing is open."""


class InStep:
    """A hub whose threads ask at the same time: nobody is answered before all have asked."""

    def __init__(self, threads: int, chunk: int = PIECE) -> None:
        self._all = threading.Barrier(threads)
        self._chunk = chunk
        self.asked: list[tuple[str, int]] = []

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        start, last = (int(edge) for edge in headers["Range"][6:].split("-"))
        self._all.wait(30)
        self.asked.append((url.rpartition("/")[2], start))
        self._all.wait(30)
        return Part(start, last + 1, self._chunk)

    def close(self) -> None:
        """Nothing is open."""


def fetch(folder: Path, hub: InStep, names: list[str], connections: int) -> None:
    entry = {name: FileEntry(name, len(CONTENT), SHA256, DIGEST) for name in names}
    jobs = [FileJob("tiny", "acme/tiny", "c" * 40, entry[name], folder / name) for name in names]
    progress = Progress(None, time.time, time.monotonic)
    Fetcher(Hub("http://hub", None, hub, lambda _: None), connections, progress).fetch(jobs)
    for name in names:
        assert part_path(folder / name).read_bytes() == CONTENT


DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_two_threads_with_two_files_never_share_one(tmp_path: Path) -> None:
    hub = InStep(2)
    fetch(tmp_path, hub, ["a", "b"], 2)
    turns = [sorted(hub.asked[at : at + 2]) for at in range(0, len(hub.asked), 2)]
    assert turns == [[("a", n * SEGMENT), ("b", n * SEGMENT)] for n in range(SEGMENTS)]


def test_two_threads_with_one_file_share_it(tmp_path: Path) -> None:
    hub = InStep(2)
    fetch(tmp_path, hub, ["a"], 2)
    assert sorted(hub.asked) == [("a", n * SEGMENT) for n in range(SEGMENTS)]


def test_one_thread_ends_a_file_before_it_begins_the_next(tmp_path: Path) -> None:
    hub = InStep(1)
    fetch(tmp_path, hub, ["a", "b"], 1)
    assert hub.asked == [(name, n * SEGMENT) for name in "ab" for n in range(SEGMENTS)]


@pytest.mark.parametrize(
    ("chunk", "lengths"),
    [
        pytest.param(PIECE // 16, {PIECE}, id="small chunks are collected"),
        pytest.param(PIECE * 3 // 4, {PIECE * 3 // 4, PIECE // 4}, id="large ones are not"),
        pytest.param(SEGMENT, {PIECE}, id="larger than a piece: cut"),
    ],
)
def test_what_is_written_at_once(tmp_path: Path, chunk: int, lengths: set[int]) -> None:
    fetch(tmp_path, InStep(1, chunk), ["a"], 1)
    entry = FileEntry("a", len(CONTENT), SHA256, DIGEST)
    journal = parse_journal(journal_path(tmp_path / "a").read_bytes(), entry)
    assert journal is not None
    assert {piece.length for piece in journal.pieces} == lengths
    assert journal.claimed == len(CONTENT)

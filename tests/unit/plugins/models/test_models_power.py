# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A power cut: what had not reached the disk is lost, and nothing else is fetched again.

The disk is a double: what a sync brought to it stays, of everything later any mixture of old
bytes, new bytes and zeros may be found.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils import files
from ansible_collections.closet.inference.plugins.module_utils.models import part as part_module
from ansible_collections.closet.inference.plugins.module_utils.models import (
    threads as threads_module,
)
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    journal_path,
    part_path,
)
from ansible_collections.closet.inference.plugins.module_utils.models.part import Part
from ansible_collections.closet.inference.plugins.module_utils.models.threads import WorkerPool
from tests.unit.plugins.models.test_models_resume import (
    CONTENT,
    ENTRY,
    PIECE,
    RELAXED,
    SIZE,
    Line,
    fetch,
    small_pieces,
)

__all__ = ["small_pieces"]  # pytest finds the fixture by its name here
PAGE = 64


class Disk:
    """Remembers each file as it was when it was last synced."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.kept: dict[int, bytes] = {}
        patch.setattr(part_module, "sync_to_disk", self.sync)

    def sync(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.kept[found.st_ino] = path.read_bytes()

    def lose_power(self, path: Path, choices: Iterator[int]) -> None:
        """Page by page: as synced (zeros where there was nothing), or as written.

        A file may end where it did at its sync, or already where it ended now.
        """
        written, kept = path.read_bytes(), self.kept.get(path.stat().st_ino, b"")
        length = len(kept) if next(choices) % 2 else len(written)
        found = bytearray()
        for start in range(0, length, PAGE):
            old, new = kept[start : start + PAGE], written[start : start + PAGE]
            page = new if next(choices) % 2 else old
            found += page.ljust(min(PAGE, length - start), b"\0")
        path.write_bytes(bytes(found))
        self.kept[path.stat().st_ino] = bytes(found)


@RELAXED
@given(
    writes=st.lists(st.integers(0, SIZE // PIECE - 1), min_size=1, max_size=20),
    syncs=st.sets(st.integers(0, 19)),
    choices=st.randoms(use_true_random=False),
)
def test_what_was_synced_is_not_fetched_again(
    tmp_path_factory: pytest.TempPathFactory, writes: list[int], syncs: set[int], choices: object
) -> None:
    final = tmp_path_factory.mktemp("power") / ENTRY.path
    endless = iter(lambda: choices.randint(0, 5), None)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        part = Part(final, ENTRY)
        part.open()
        safe: set[int] = set()
        for number, index in enumerate(writes):
            view = memoryview(CONTENT)[index * PIECE : (index + 1) * PIECE]
            part.write(0, index * PIECE, view)
            if number in syncs:
                part.sync()
                safe = set(writes[: number + 1])
        part.close()
        for path in (part_path(final), journal_path(final)):
            disk.lose_power(path, endless)
    line = Line(iter(()))
    fetch(final.parent, line)
    assert part_path(final).read_bytes() == CONTENT
    assert line.sent <= SIZE - len(safe) * PIECE


LIVES = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, PIECE), st.booleans()), max_size=12),
    min_size=2,
    max_size=4,
)


@RELAXED
@given(lives=LIVES, choices=st.randoms(use_true_random=False))
def test_nor_is_it_after_several_cuts_with_pieces_of_any_length(
    tmp_path_factory: pytest.TempPathFactory,
    lives: list[list[tuple[int, int, bool]]],
    choices: object,
) -> None:
    """Each life writes some of what is missing, the next gap or another, and loses its power."""
    final = tmp_path_factory.mktemp("lives") / ENTRY.path
    endless = iter(lambda: choices.randint(0, 5), None)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        part = Part(final, ENTRY)
        part.open()
        part.write(0, 0, memoryview(CONTENT)[:1])
        part.sync()  # else most cuts lose the journal with its first line
        part.close()
        safe = 1
        for life in lives:
            part = Part(final, ENTRY)
            part.open()
            assert part.arrived >= safe
            safe = part.arrived
            for place, length, sync in life:
                missing = part.missing()
                if not missing:
                    break
                gap = missing[place % len(missing)]
                # its beginning, or somewhere in it
                start = gap.start if place % 3 else gap.start + gap.size // 2
                part.write(0, start, memoryview(CONTENT)[start : min(start + length, gap.end)])
                if sync:
                    part.sync()
                    safe = part.arrived
            part.close()
            for path in (part_path(final), journal_path(final)):
                disk.lose_power(path, endless)
    line = Line(iter(()))
    fetch(final.parent, line)
    assert part_path(final).read_bytes() == CONTENT
    assert line.sent <= SIZE - safe


def test_a_sync_without_news_leaves_the_disk_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(part_module, "sync_to_disk", synced.append)
    part = Part(tmp_path / ENTRY.path, ENTRY)
    part.open()
    part.write(0, 0, memoryview(CONTENT)[:PIECE])
    part.sync()
    part.sync()
    part.close()
    part.sync()
    assert len(synced) == 2  # the bytes, and their journal


class Slow:
    """A part whose syncs take as long as they are told to."""

    def __init__(self, error: OSError | None = None) -> None:
        self.count = 0
        self.error = error
        self.twice = threading.Event()

    def sync(self) -> None:
        self.count += 1
        if self.error:
            raise self.error
        if self.count == 2:
            self.twice.set()


def test_the_syncer_syncs_again_and_again_and_ends_at_once() -> None:
    slow = Slow()
    with threads_module.Syncer([slow], lambda _: None):
        assert slow.twice.wait(20)
    count = slow.count
    threading.Event().wait(3 * threads_module.SMALLEST_REST_S)
    assert slow.count == count


def test_the_syncer_rests_longer_when_the_disk_is_slow() -> None:
    rests: list[float] = []
    times = iter([0.0, 2.0, 10.0, 10.001])
    syncer = threads_module.Syncer([Slow()], lambda _: None, lambda: next(times))
    syncer._end = _Rests(rests, 3)  # type: ignore[assignment]
    syncer._work()
    assert rests == [threads_module.SMALLEST_REST_S, 2.0, threads_module.SMALLEST_REST_S]


class _Rests:
    def __init__(self, rests: list[float], most: int) -> None:
        self._rests, self._most = rests, most

    def wait(self, seconds: float) -> bool:
        self._rests.append(seconds)
        return len(self._rests) >= self._most


def test_a_disk_that_fails_stops_the_pull() -> None:
    pool = WorkerPool(1)
    failing = Slow(OSError(28, "No space left on device"))
    stopped = threading.Event()

    def work() -> None:
        while not pool.stopped:
            stopped.wait(0.01)

    pool.add([work])
    with pytest.raises(OSError, match="No space left"), threads_module.Syncer([failing], pool.fail):
        pool.run()


def test_the_drive_itself_is_asked_where_the_system_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS fsync(2) stops at the drive's own memory; where F_FULLFSYNC fails, fsync it is."""
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _fd, command: asked.append(command))
    monkeypatch.setattr(os, "fsync", lambda _fd: asked.append(-1))
    files.sync_to_disk(3)
    assert asked == [51]

    def unsupported(_fd: int, _command: int) -> None:
        raise OSError(45, "Operation not supported")

    monkeypatch.setattr(fcntl, "fcntl", unsupported)
    files.sync_to_disk(3)
    assert asked == [51, -1]

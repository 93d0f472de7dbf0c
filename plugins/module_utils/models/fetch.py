# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch several files at once, each in several segments, until every file is verified.

A temporary failure is retried from the byte where it happened. The first permanent failure stops
all threads; the bytes that arrived stay in the parts, and the next run resumes from them.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Body, Hub
from ansible_collections.closet.inference.plugins.module_utils.models.journal import (
    PIECE_BYTES,
    Span,
    split,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import FileEntry
from ansible_collections.closet.inference.plugins.module_utils.models.part import (
    Part,
    SupersededError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peer, Peers
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    FlawError,
    ModelError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    Backoff,
    HubTroubleError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.threads import (
    StoppedError,
    Syncer,
    WorkerPool,
)

MOST_WRONG_HASHES = 2
MOST_IGNORED_RANGES = 5
PAUSE_STEP_S = 1.0


@dataclass(frozen=True)
class FileJob:
    """One file to fetch. `claimed`: bytes that its journal lists as already on the disk."""

    model: str
    repo: str
    revision: str
    entry: FileEntry
    final: Path
    claimed: int = 0


class Fetcher:
    """Fetches files with a fixed number of threads, which share one queue."""

    def __init__(
        self, hub: Hub, connections: int, progress: Progress, peers: Peers | None = None
    ) -> None:
        self._hub = hub
        self._connections = connections
        self._progress = progress
        self._peers = peers or Peers()

    def fetch(self, jobs: Sequence[FileJob]) -> None:
        """Afterwards every file is staged (`<final>.part`, verified). ModelError or OSError."""
        pool = WorkerPool(min(self._connections, max(1, len(jobs) * 4)))
        pulls = [FilePull(job, self._hub, self._peers, pool, self._progress) for job in jobs]
        pool.add([pull.begin for pull in pulls])
        try:
            with Syncer([pull.part for pull in pulls], pool.fail):
                pool.run()
        finally:
            for pull in pulls:
                pull.part.close()


class FilePull:
    """One file: open the part, cut it into segments, verify it; again if the hash is wrong.

    Segments are taken in order. While there are enough files, each file has one thread, which
    hashes the bytes as it receives them; threads without a file of their own help.
    """

    def __init__(
        self, job: FileJob, hub: Hub, peers: Peers, pool: WorkerPool, progress: Progress
    ) -> None:
        self.job = job
        self.hub = hub
        self.peers = peers
        self.pool = pool
        self.part = Part(job.final, job.entry)
        self._progress = progress
        self._spans: deque[tuple[Span, int]] = deque()  # each with its generation of the part
        self._finishing = threading.Lock()
        self._wrong_hashes = 0
        self._ignored_ranges = 0
        self._hub_only = False
        self._done = False

    def begin(self) -> None:
        self.part.open()
        self.count(0, self.part.arrived - self.job.claimed)
        self._cut()
        self.work()

    def work(self) -> None:
        """Fetch segment after segment until none is left."""
        while self._spans:
            try:
                span, generation = self._spans.popleft()
            except IndexError:  # another thread took the last one
                return
            with contextlib.suppress(SupersededError):
                Segment(self, span, generation).run()

    def open(self, start: int, end: int) -> tuple[Body, Peer | None]:
        """Bytes [start, end): from a peer that has the file, else from the hub."""
        job = self.job
        while not self._hub_only:
            peer = self.peers.holder(job.repo, job.entry)
            if peer is None:
                break
            try:
                return peer.open(job.repo, job.entry, start, end), peer
            except HubTroubleError:
                peer.blame()
        return self.hub.open(job.repo, job.revision, job.entry, start, end), None

    def count(self, fetched: int, done: int) -> None:
        self._progress.add(self.job.model, fetched, done)

    def take_whole(self, generation: int) -> int:
        """The hub ignores ranges. Limited, since each lost connection then costs the whole file."""
        fresh = self._start_over(generation)
        self._ignored_ranges += 1
        if self._ignored_ranges > MOST_IGNORED_RANGES:
            job = self.job
            raise ModelError(
                f"{job.entry.path} of {job.repo}@{job.revision}: {self.hub.endpoint} cannot resume "
                f"a file in the middle, and the connection was lost {MOST_IGNORED_RANGES} times."
            )
        return fresh

    def finish(self) -> None:
        """Called at the end of each segment; verifies the file when nothing is missing."""
        with self._finishing:
            if self._done or self.part.missing():
                return
            if self.part.verify():
                self._done = True
                self.part.close()
                return
            self._wrong_hashes += 1
            self._hub_only = True  # a peer may have sent the wrong bytes
            self._start_over(self.part.generation)
            if self._wrong_hashes >= MOST_WRONG_HASHES:
                raise self._wrong_content()
        self._cut()

    def _cut(self) -> None:
        """Queue the missing segments, and one task for each thread that can help."""
        generation = self.part.generation
        spans = split(self.part.missing(), self.pool.size)
        if not spans:
            self.finish()
            return
        self._spans.extend((span, generation) for span in spans)
        self.pool.add([self.work] * (min(len(spans), self.pool.size) - 1))

    def _start_over(self, generation: int) -> int:
        lost = self.part.arrived
        fresh = self.part.start_over(generation)
        self.count(0, -lost)
        return fresh

    def _wrong_content(self) -> FlawError:
        job = self.job
        return FlawError(
            f"{job.entry.path} of {job.repo}@{job.revision}: {self.hub.endpoint} sent "
            f"{job.entry.size} bytes twice, and both times their hash was not the listed one "
            f"({job.entry.algorithm} {job.entry.digest}). The bytes were discarded. A cache or "
            "proxy in between may hold a damaged copy."
        )


class Segment:
    """One span of one file, over as many consecutive connections as it needs."""

    def __init__(self, pull: FilePull, span: Span, generation: int) -> None:
        self._pull = pull
        self._generation = generation
        self._at = span.start  # the next byte to receive
        self._end = span.end
        self._buffer = memoryview(bytearray(min(PIECE_BYTES, max(1, span.size))))
        self._fill = 0

    def run(self) -> None:
        backoff = self._pull.hub.backoff(self._pause)
        try:
            while self._at < self._end:
                self._leave_if_stopped()
                try:
                    self._receive(backoff)
                except HubTroubleError as trouble:
                    self._leave_if_stopped()
                    backoff.wait(trouble)
        except BaseException:
            with contextlib.suppress(OSError, SupersededError):
                self._flush()
            raise
        self._flush()
        self._pull.finish()

    def _receive(self, backoff: Backoff) -> None:
        """One connection, until the segment ends or the connection does."""
        job = self._pull.job
        body, peer = self._pull.open(self._at, self._end)
        try:
            if body.start != self._at or body.end > self._end:
                self._take_whole(body)
            before = self._at
            for chunk in body.chunks():
                if chunk:
                    backoff.progressed()
                if peer is not None:
                    self._pull.peers.count(len(chunk))
                if self._take(chunk):
                    break
            if self._at == before:
                raise HubTroubleError(
                    f"{self._pull.hub.endpoint} sent no bytes of {job.entry.path}."
                )
        except HubTroubleError:
            if peer is not None:
                peer.blame()
            raise
        finally:
            body.close()

    def _take_whole(self, body: Body) -> None:
        """The hub ignores ranges and sends the file from its first byte: start over with that."""
        self._generation = self._pull.take_whole(self._generation)
        self._fill = 0
        self._at, self._end = body.start, body.end
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def _take(self, chunk: bytes) -> bool:
        """Keep the bytes of this segment; True if the chunk had more than those."""
        self._leave_if_stopped()
        view = memoryview(chunk)[: self._end - self._at]
        surplus = len(view) < len(chunk)
        self._pull.count(len(chunk), 0)
        while view:
            room = len(self._buffer) - self._fill
            piece, view = view[:room], view[room:]
            self._at += len(piece)
            if not self._fill and len(piece) >= len(self._buffer) // 2:
                self._write(piece)  # large enough: no need to collect more
                continue
            self._buffer[self._fill : self._fill + len(piece)] = piece
            self._fill += len(piece)
            if self._fill == len(self._buffer):
                self._flush()
        return surplus

    def _flush(self) -> None:
        if self._fill:
            data = self._buffer[: self._fill]
            self._fill = 0
            self._write(data)

    def _write(self, data: memoryview) -> None:
        """Write the bytes that end at `_at`."""
        self._pull.part.write(self._generation, self._at - len(data), data)
        self._pull.count(0, len(data))

    def _pause(self, seconds: float) -> None:
        """Sleep in short steps, so that a stopped pull ends soon."""
        while seconds > 0:
            self._leave_if_stopped()
            self._pull.hub.sleep(min(seconds, PAUSE_STEP_S))
            seconds -= PAUSE_STEP_S

    def _leave_if_stopped(self) -> None:
        if self._pull.pool.stopped:
            raise StoppedError
        if self._generation != self._pull.part.generation:
            raise SupersededError

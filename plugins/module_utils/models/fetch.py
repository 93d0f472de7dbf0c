# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch many files at once, each in several segments, until all of them are proven.

A failure that may pass is retried from the very byte it happened at. The first one that may not
stops everybody; what has arrived stays in the parts.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Sequence

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.hub_answers import Body
from ansible_collections.closet.inference.plugins.module_utils.models.journal import (
    PIECE_BYTES,
    Span,
    split,
)
from ansible_collections.closet.inference.plugins.module_utils.models.part import (
    Part,
    SupersededError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.peers import (
    FileJob,
    Peers,
    Sources,
)
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


class Fetcher:
    def __init__(
        self, hub: Hub, connections: int, progress: Progress, peers: Peers | None = None
    ) -> None:
        self._hub = hub
        self._connections = connections
        self._progress = progress
        self._peers = peers or Peers()

    def fetch(self, jobs: Sequence[FileJob]) -> None:
        """Every file is staged (`<final>.part`, verified) afterwards, or ModelError or OSError."""
        pool = WorkerPool(min(self._connections, max(1, len(jobs) * 4)))
        pulls = [self._pull(job, pool) for job in jobs]
        pool.add([pull.begin for pull in pulls])
        try:
            with Syncer([pull.part for pull in pulls], pool.fail):
                pool.run()
        finally:
            for pull in pulls:
                pull.part.close()

    def _pull(self, job: FileJob, pool: WorkerPool) -> FilePull:
        return FilePull(job, Sources(self._hub, self._peers, job), pool, self._progress)


class FilePull:
    """One file: opened, cut into segments, verified, and once more if the hash is wrong.

    Its segments are taken in order. As long as there are files enough, each has one thread, which
    hashes the bytes while it has them in hand; threads that find no other file help.
    """

    def __init__(
        self, job: FileJob, sources: Sources, pool: WorkerPool, progress: Progress
    ) -> None:
        self.job = job
        self.sources = sources
        self.hub = sources.hub
        self.pool = pool
        self.part = Part(job.final, job.entry)
        self._progress = progress
        self._spans: deque[tuple[Span, int]] = deque()  # with the generation they are of
        self._finishing = threading.Lock()
        self._wrong_hashes = 0
        self._ignored_ranges = 0
        self._done = False

    def begin(self) -> None:
        self.part.open()
        self._progress.add(self.job.model, 0, self.part.arrived - self.job.claimed)
        self._cut()
        self.work()

    def work(self) -> None:
        """Segment by segment, until nobody has to take up another one."""
        while self._spans:
            try:
                span, generation = self._spans.popleft()
            except IndexError:  # somebody else was quicker
                return
            with contextlib.suppress(SupersededError):
                Segment(self, span, generation).run()

    def count(self, fetched: int, done: int) -> None:
        self._progress.add(self.job.model, fetched, done)

    def start_over(self, generation: int) -> int:
        lost = self.part.arrived
        fresh = self.part.start_over(generation)
        self.count(0, -lost)
        return fresh

    def take_whole(self, generation: int) -> int:
        """The hub ignores ranges; bounded, since each cut then costs the whole file."""
        fresh = self.start_over(generation)
        self._ignored_ranges += 1
        if self._ignored_ranges > MOST_IGNORED_RANGES:
            job = self.job
            raise ModelError(
                f"{job.entry.path} of {job.repo}@{job.revision}: {self.hub.endpoint} cannot "
                f"continue a file in the middle, and was cut off {MOST_IGNORED_RANGES} times."
            )
        return fresh

    def _cut(self) -> None:
        """What is missing, in segments; and a place in the queue for everybody who may help."""
        generation = self.part.generation
        spans = split(self.part.missing(), self.pool.size)
        if not spans:
            self.finish()
            return
        self._spans.extend((span, generation) for span in spans)
        self.pool.add([self.work] * (min(len(spans), self.pool.size) - 1))

    def finish(self) -> None:
        """Called at the end of each segment; the last one finds nothing missing."""
        with self._finishing:
            if self._done or self.part.missing():
                return
            if self.part.verify():
                self._done = True
                self.part.close()
                return
            self._wrong_hashes += 1
            self.sources.distrust()
            self.start_over(self.part.generation)
            if self._wrong_hashes >= MOST_WRONG_HASHES:
                raise self._wrong_content()
        self._cut()

    def _wrong_content(self) -> FlawError:
        job = self.job
        return FlawError(
            f"{job.entry.path} of {job.repo}@{job.revision}: {job.entry.size} bytes came from "
            f"{self.hub.endpoint} twice, and twice they were not the ones it lists "
            f"({job.entry.algorithm} {job.entry.digest}). The bytes were thrown away; a cache or "
            "proxy on the way may hold a damaged copy."
        )


class Segment:
    """One span of one file, over as many connections in a row as it takes."""

    def __init__(self, pull: FilePull, span: Span, generation: int) -> None:
        self._pull = pull
        self._generation = generation
        self._at = span.start  # the next byte wanted from the network
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
        job = self._pull.job
        body, peer = self._pull.sources.open(self._at, self._end)
        try:
            if body.start != self._at or body.end > self._end:
                self._start_over(body)
            before = self._at
            for chunk in body.chunks():
                if chunk:
                    backoff.progressed()
                self._pull.sources.count(peer, len(chunk))
                if self._take(chunk):
                    break
            if self._at == before:
                raise HubTroubleError(
                    f"{self._pull.hub.endpoint} sent no byte of {job.entry.path}."
                )
        except HubTroubleError:
            if peer is not None:
                peer.blame()
            raise
        finally:
            body.close()

    def _start_over(self, body: Body) -> None:
        """The hub ignores ranges and sends the file from its first byte: take it as it comes."""
        self._generation = self._pull.take_whole(self._generation)
        self._fill = 0
        self._at, self._end = body.start, body.end
        self._buffer = memoryview(bytearray(PIECE_BYTES))

    def _take(self, chunk: bytes) -> bool:
        """Keep what belongs to this segment; True when there was more than that."""
        self._leave_if_stopped()
        view = memoryview(chunk)[: self._end - self._at]
        surplus = len(view) < len(chunk)
        self._pull.count(len(chunk), 0)
        while view:
            room = len(self._buffer) - self._fill
            piece, view = view[:room], view[room:]
            self._at += len(piece)
            if not self._fill and len(piece) >= len(self._buffer) // 2:
                self._write(piece)  # as it came: a fast line need not be collected
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
        """The bytes before `_at`."""
        self._pull.part.write(self._generation, self._at - len(data), data)
        self._pull.count(0, len(data))

    def _pause(self, seconds: float) -> None:
        """Sleep in short steps, so that nobody waits long for us to leave."""
        while seconds > 0:
            self._leave_if_stopped()
            self._pull.hub.sleep(min(seconds, PAUSE_STEP_S))
            seconds -= PAUSE_STEP_S

    def _leave_if_stopped(self) -> None:
        if self._pull.pool.stopped:
            raise StoppedError
        if self._generation != self._pull.part.generation:
            raise SupersededError

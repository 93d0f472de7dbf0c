# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of a pull: workers that share a queue, and one thread that syncs parts to the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

SMALLEST_REST_S = 0.05
REST_PER_SYNC = 1.0  # at most half of the time is spent waiting for the disk

Task = Callable[[], None]


class StoppedError(Exception):
    """A task ends early: another one failed, or has taken over its work."""


class WorkerPool:
    """Threads that process a queue of tasks; tasks may add tasks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tasks: deque[Task] = deque()
        self._changed = threading.Condition()
        self._active = 0
        self._error: BaseException | None = None

    @property
    def stopped(self) -> bool:
        return self._error is not None

    def add(self, tasks: Sequence[Task]) -> None:
        with self._changed:
            self._tasks.extend(tasks)
            self._changed.notify_all()

    def run(self) -> None:
        """Run until the queue is empty and no task is running; raises the first error."""
        threads = [threading.Thread(target=self._work, daemon=True) for _n in range(self.size)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            self.fail(error)
            raise
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            task = self._next()
            if task is None:
                return
            try:
                task()
            except StoppedError:
                pass
            except BaseException as error:
                self.fail(error)
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _next(self) -> Task | None:
        with self._changed:
            while not self._tasks and self._active and not self.stopped:
                self._changed.wait()
            if self.stopped or not self._tasks:
                return None
            self._active += 1
            return self._tasks.popleft()

    def fail(self, error: BaseException) -> None:
        """Stop all workers; run() raises this error unless it has an earlier one."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()


class Syncable(Protocol):
    def sync(self) -> None:
        """Bring the bytes since the last call to the disk; cheap if there are none."""


class Syncer:
    """A thread that syncs parts continuously, so that a power cut costs only the newest bytes.

    It pauses in proportion to the time of each sync. A slow disk or a fast connection therefore
    makes the interval longer, not the transfer slower.
    """

    def __init__(
        self,
        parts: Sequence[Syncable],
        failed: Callable[[BaseException], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._failed = failed
        self._clock = clock
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Syncer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _work(self) -> None:
        rest = SMALLEST_REST_S
        while not self._end.wait(rest):
            began = self._clock()
            try:
                for part in self._parts:
                    part.sync()
            except OSError as error:
                self._failed(error)
                return
            rest = max(SMALLEST_REST_S, REST_PER_SYNC * (self._clock() - began))

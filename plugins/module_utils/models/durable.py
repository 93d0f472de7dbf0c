# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to survive a power cut, brought to the disk beside the transfer and not in its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

SMALLEST_REST_S = 0.05
REST_PER_SYNC = 1.0  # at most half of the time goes into waiting for the disk


class Syncable(Protocol):
    def sync(self) -> None:
        """Bring what was written since the last time to the disk; cheap when that is nothing."""


class Keeper:
    """A thread that syncs parts again and again, so that a power cut costs what came in meanwhile.

    It rests in proportion to what the disk took, so a slow disk or a fast line make the gap
    longer instead of the transfer slower.
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

    def __enter__(self) -> Keeper:
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

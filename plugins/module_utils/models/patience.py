# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble that may pass, and how long to be patient with it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError

LONGEST_WAIT_S = 300.0
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
MOST_TRIES = len(DELAYS_S) + 1

Sleep = Callable[[float], None]


class HubTroubleError(Exception):
    """A failure worth another try. `wait_s` is what the hub asked for, if it did.

    `no_route`: the hub could not be reached at all, as opposed to having answered badly.
    """

    def __init__(
        self, sentence: str, wait_s: float | None = None, *, no_route: bool = False
    ) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s
        self.no_route = no_route


class HubUnreachableError(ModelError):
    """The hub did not answer in all of our tries."""


class Backoff:
    """Counts failures in a row; sleeps between them; gives up with the last one's sentence."""

    def __init__(self, sleep: Sleep, tries: int = MOST_TRIES) -> None:
        self._sleep = sleep
        self._tries = tries
        self._failures = 0

    def progressed(self) -> None:
        self._failures = 0

    def wait(self, trouble: HubTroubleError) -> None:
        self._failures += 1
        if self._failures >= self._tries:
            kind = HubUnreachableError if trouble.no_route else ModelError
            times = f"{self._failures} times in a row" if self._failures > 1 else "once"
            raise kind(f"{trouble} Tried {times}; run again to go on from here.")
        if trouble.wait_s is not None:
            self._sleep(min(trouble.wait_s, LONGEST_WAIT_S))
        else:
            self._sleep(DELAYS_S[min(self._failures, len(DELAYS_S)) - 1])


def read_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now())
    except (TypeError, ValueError):
        return None

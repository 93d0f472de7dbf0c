# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary failures: how long to wait, and how often to try again."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Optional

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError

LONGEST_WAIT_S = 3600.0  # long enough for a whole window of a rate limit
ASK_AGAIN_S = 300.0  # if a hub requires a longer wait than that
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
MOST_TRIES = len(DELAYS_S) + 1
FOREGROUND_WAIT_S = 30.0  # the longest time without a message
STEP_S = 5.0  # between two messages about one wait

# RFC 9651: a member of a list, whose strings may contain commas, and one parameter of it
MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')
PARAMETER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)\s*=\s*(\d{1,15})\s*", re.IGNORECASE)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

Sleep = Callable[[float], None]
WaitCallback = Optional[Callable[[float, str], None]]
"""Called with the seconds left of a wait and its reason; with 0 when it is over."""


class HubTroubleError(Exception):
    """A failure that another try may solve. `wait_s` is the wait that the hub requires, if any.

    `no_route`: the hub was not reached at all, as opposed to a bad answer. `waits_for`: the reason
    of a wait, in a few words.
    """

    def __init__(
        self,
        sentence: str,
        wait_s: float | None = None,
        *,
        no_route: bool = False,
        waits_for: str = "",
    ) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s
        self.no_route = no_route
        self.waits_for = waits_for or "the hub"


class HubUnreachableError(ModelError):
    """The hub did not answer any of the tries."""


class HubBusyError(ModelError):
    """The hub requires a wait that is too long for the foreground."""


class WaitPolicy:
    """The longest wait of a run, and its messages. One for all hubs of the run."""

    def __init__(self) -> None:
        self.longest_s = math.inf
        self.on_wait: WaitCallback = None

    def wait(self, sleep: Sleep, trouble: HubTroubleError, seconds: float) -> None:
        """Sleep; a long wait in steps, with a message of the seconds left before each."""
        if seconds > self.longest_s:
            raise HubBusyError(f"{trouble} It requires a wait of {seconds:.0f} s.")
        if seconds <= FOREGROUND_WAIT_S:
            sleep(seconds)
            return
        left = seconds
        while left > 0:
            self._tell(left, trouble.waits_for)
            sleep(min(left, STEP_S))
            left -= STEP_S
        self._tell(0.0, "")

    def _tell(self, seconds: float, what: str) -> None:
        if self.on_wait is not None:
            self.on_wait(seconds, what)


class Backoff:
    """Counts consecutive failures, sleeps between them, and ends with the sentence of the last."""

    def __init__(
        self, sleep: Sleep, tries: int = MOST_TRIES, wait_policy: WaitPolicy | None = None
    ) -> None:
        self._sleep = sleep
        self._tries = tries
        self._wait_policy = wait_policy or WaitPolicy()
        self._failures = 0

    def progressed(self) -> None:
        self._failures = 0

    def wait(self, trouble: HubTroubleError) -> None:
        self._failures += 1
        if self._failures >= self._tries:
            kind = HubUnreachableError if trouble.no_route else ModelError
            times = f"{self._failures} times in a row" if self._failures > 1 else "once"
            asked = f" It requires a wait of {trouble.wait_s:.0f} s." if trouble.wait_s else ""
            raise kind(f"{trouble}{asked} Tried {times}. Run again to resume.")
        seconds = DELAYS_S[min(self._failures, len(DELAYS_S)) - 1]
        if trouble.wait_s is not None:
            seconds = trouble.wait_s if trouble.wait_s <= LONGEST_WAIT_S else ASK_AGAIN_S
        self._wait_policy.wait(self._sleep, trouble, seconds)


def read_wait(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait after an answer. Retry-After precedes a rate limit, as its draft says.

    Names of `headers` are in lower case.
    """
    wait = read_retry_after(headers.get("retry-after"), now)
    if wait is None:
        wait = read_rate_limit(headers.get("ratelimit", ""))
    if wait is None and headers.get("ratelimit-reset", "").strip().isdecimal():
        wait = float(headers["ratelimit-reset"])
    return wait


def read_retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now())
    except (TypeError, ValueError):
        return None


def read_rate_limit(value: str) -> float | None:
    """Seconds until the exhausted windows start again; None if the header does not tell.

    `"api";r=0;t=187` is the format of draft-ietf-httpapi-ratelimit-headers since its revision 08,
    `limit=500, remaining=0, reset=187` the format before.
    """
    windows: list[tuple[int, int]] = []
    older: dict[str, int] = {}
    for member in MEMBER.findall(value):
        found = _numbers(member)
        if "t" in found:
            windows.append((found.get("r", 0), found["t"]))
        older.update(found)
    if not windows and "reset" in older:
        windows.append((older.get("remaining", 0), older["reset"]))
    used_up = [seconds for left, seconds in windows if left == 0]
    return float(max(used_up or [seconds for _left, seconds in windows], default=0)) or None


def _numbers(member: str) -> dict[str, int]:
    parts = STRING.sub("", member).split(";")
    matches = (PARAMETER.fullmatch(part) for part in parts)
    return {match[1].lower(): int(match[2]) for match in matches if match}

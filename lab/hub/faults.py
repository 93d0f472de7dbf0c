"""Faults that a test asks the hub for, per file: what a home line and a busy hub do to a pull."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

ROUTES = ("resolve", "info", "tree", "*")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Which requests: `repo` and `path` are shell patterns, `route` is what is asked for, `method`
    GET or HEAD or *; `times` limits how often (None: until cleared); a request that carries the
    token `unless_token` is spared. What happens: `status` with `error_code` and `retry_after_s`
    instead of an answer; `delay_s` before it; the body at `rate_bytes_per_s`; the connection
    dropped after `cut_after_bytes` of the body.
    """

    repo: str = "*"
    path: str = "*"
    route: str = "resolve"
    method: str = "GET"
    times: int | None = None
    unless_token: str | None = None
    status: int | None = None
    error_code: str | None = None
    retry_after_s: int | None = None
    delay_s: float = 0.0
    rate_bytes_per_s: float | None = None
    cut_after_bytes: int | None = None

    def matches(self, asked: Asked) -> bool:
        """Whether this request is meant."""
        return (
            self.route in ("*", asked.route)
            and self.method in ("*", asked.method)
            and fnmatchcase(asked.repo, self.repo)
            and fnmatchcase(asked.path, self.path)
            and (self.unless_token is None or self.unless_token != asked.token)
        )


@dataclass(frozen=True)
class Asked:
    """What a request is about, as far as faults care."""

    route: str
    method: str
    repo: str
    path: str = ""
    token: str | None = None


def fault_from(content: Mapping[str, Any]) -> Fault:
    """A fault from a test's JSON; ValueError says what is wrong with it."""
    if not isinstance(content, Mapping):
        raise ValueError("a fault is a JSON object")
    known = {field.name for field in dataclasses.fields(Fault)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    fault = Fault(**content)
    if fault.route not in ROUTES:
        raise ValueError(f"route is one of {', '.join(ROUTES)}, not {fault.route!r}")
    return fault


class Faults:
    """The faults in force, in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[int, Fault] = {}
        self._used: dict[int, int] = {}
        self._next = 1

    def add(self, fault: Fault) -> int:
        """Put a fault in force; its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._faults[number] = fault
            self._used[number] = 0
            return number

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all; how many there were."""
        with self._lock:
            numbers = list(self._faults) if number is None else [number]
            return sum(self._faults.pop(each, None) is not None for each in numbers)

    def take(self, asked: Asked) -> Fault | None:
        """The first fault that is meant for this request, counted as used."""
        with self._lock:
            for number, fault in self._faults.items():
                left = fault.times is None or self._used[number] < fault.times
                if left and fault.matches(asked):
                    self._used[number] += 1
                    return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """All faults with their numbers and how often each was used."""
        with self._lock:
            return [
                {"id": number, "used": self._used[number], **dataclasses.asdict(fault)}
                for number, fault in self._faults.items()
            ]

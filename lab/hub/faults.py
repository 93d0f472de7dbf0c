"""Faults that a test asks the hub for, per file: what a home line and a busy hub do to a pull."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lab.parts.cache import read_json, write_json

#: `storage` is the second origin, which sends the bytes of big files
ROUTES = ("resolve", "storage", "info", "tree", "*")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Which requests: `repo` and `path` are shell patterns, `route` is what is asked for, `method`
    GET or HEAD or *; `times` limits how often (None: until cleared); a request that carries the
    token `unless_token` is spared. A fault of a body that names the route `resolve` also means
    the storage behind it: a test need not know which files are redirected.

    Instead of an answer: `status` with `error_code` and `retry_after_s`, or `page`, the text of a
    login page with status 200. Before it: `delay_s`. Headers: `ignore_range` (200 and the whole
    file), `range_shift` (a 206 with another range, by so many bytes), `length_delta` (a
    Content-Length that is wrong by so many). Body: `rate_bytes_per_s`; `burst_bytes` at once with
    `pause_s` after each; `cut_after_bytes`; `flip_at`, the place in the file of a bit that
    arrives wrong; `changed`, other content under the same name, with its own ETag.

    `headers` are sent with a refusal. For the route `tree` a `Link` replaces ours: `{url}` is the
    next page's address, `{below}` its path and query, and `{path}` the same without the prefix of
    a mirror; the last page has none.
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
    page: str | None = None
    delay_s: float = 0.0
    ignore_range: bool = False
    range_shift: int = 0
    length_delta: int = 0
    rate_bytes_per_s: float | None = None
    burst_bytes: int | None = None
    pause_s: float = 0.0
    cut_after_bytes: int | None = None
    flip_at: int | None = None
    changed: bool = False
    headers: Mapping[str, str] | None = None

    @property
    def is_answer(self) -> bool:
        """Whether it takes the place of the answer; otherwise it happens to a body."""
        return self.status is not None or self.page is not None

    def matches(self, asked: Asked) -> bool:
        """Whether this request is meant."""
        return (
            self._means_route(asked)
            and self.method in ("*", asked.method)
            and fnmatchcase(asked.repo, self.repo)
            and fnmatchcase(asked.path, self.path)
            and (self.unless_token is None or self.unless_token != asked.token)
        )

    def _means_route(self, asked: Asked) -> bool:
        if self.changed:  # told where the file is asked for; the redirect carries it on
            return asked.route == "resolve"
        if self.route in ("*", asked.route):
            return self.is_answer or asked.has_body
        body_of_resolve = self.route == "resolve" and not self.is_answer
        return body_of_resolve and asked.route == "storage"


@dataclass(frozen=True)
class Asked:
    """What a request is about, as far as faults care.

    `has_body`: its answer carries the file, and is no redirect to where the file is.
    """

    route: str
    method: str
    repo: str
    path: str = ""
    token: str | None = None
    has_body: bool = True


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
    """The faults in force, in the order they were asked for; kept in a file, so that a hub that
    was killed is as slow as before when it is back."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = file
        saved = read_json(file) if file else {}
        rows = {int(row.pop("id")): row for row in saved.get("faults", ())}
        self._used: dict[int, int] = {number: row.pop("used") for number, row in rows.items()}
        self._faults = {number: fault_from(row) for number, row in rows.items()}
        self._next = max(rows, default=0) + 1

    def add(self, fault: Fault) -> int:
        """Put a fault in force; its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._faults[number] = fault
            self._used[number] = 0
            self._save()
            return number

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all; how many there were."""
        with self._lock:
            numbers = list(self._faults) if number is None else [number]
            cleared = sum(self._faults.pop(each, None) is not None for each in numbers)
            self._save()
            return cleared

    def take(self, asked: Asked) -> Fault | None:
        """The first fault that is meant for this request, counted as used."""
        with self._lock:
            for number, fault in self._faults.items():
                left = fault.times is None or self._used[number] < fault.times
                if left and fault.matches(asked):
                    self._used[number] += 1
                    if fault.times is not None:
                        self._save()
                    return fault
        return None

    def listing(self) -> list[dict[str, Any]]:
        """All faults with their numbers and how often each was used."""
        with self._lock:
            return self._rows()

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"id": number, "used": self._used[number], **dataclasses.asdict(fault)}
            for number, fault in self._faults.items()
        ]

    def _save(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, {"faults": self._rows()})

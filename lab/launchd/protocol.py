"""Requests and replies as launchd's verbs see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What launchctl prints and exits with."""

    rc: int = 0
    out: str = ""
    err: str = ""


# A reply that has to wait for something: asked again until it is there.
Pending = Callable[[], "Reply | None"]
Answer = Reply | Pending


@dataclass(frozen=True)
class Request:
    """One launchctl call; the uid and pid are the kernel's word, the rest is the caller's."""

    verb: str
    uid: int
    pid: int
    kind: str = ""
    number: int = 0
    label: str | None = None
    paths: tuple[str, ...] = ()
    flags: frozenset[str] = field(default_factory=frozenset)
    signal: int = 0
    tty: bool = False

    @property
    def caller(self) -> str:
        return f"launchctl[{self.pid}]"

    @property
    def may_change(self) -> bool:
        """Root may change every domain, a user the two of that uid."""
        return self.uid == 0 or (self.kind in ("user", "gui") and self.uid == self.number)


def request(raw: dict[str, Any], uid: int, pid: int) -> Request:
    """Build a request from the wire."""
    label = raw.get("label")
    return Request(
        verb=str(raw["verb"]),
        uid=uid,
        pid=pid,
        kind=str(raw.get("kind", "")),
        number=int(raw.get("number", 0)),
        label=None if label is None else str(label),
        paths=tuple(str(path) for path in raw.get("paths", ())),
        flags=frozenset(str(flag) for flag in raw.get("flags", ())),
        signal=int(raw.get("signal", 0)),
        tty=bool(raw.get("tty", False)),
    )

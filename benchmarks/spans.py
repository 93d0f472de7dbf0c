"""What callbacks/closet_spans.py wrote, read: module runs per host, and where the time went."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """One stretch of a run, in seconds; `wire_s` is what its slowest host spent behind ssh."""

    name: str
    wall_s: float
    wire_s: float = 0.0
    hosts: int = 0
    execs: int = 0
    modules: int = 0

    @property
    def rest_s(self) -> float:
        """What was neither ssh nor a host: templating, forks, module archives, results."""
        return max(0.0, self.wall_s - self.wire_s)


@dataclass(frozen=True)
class Trace:
    """A whole run: its stretches in order, and per address the ssh commands and module runs."""

    parts: tuple[Part, ...]
    execs: Mapping[str, int]
    modules: Mapping[str, int]


def read(lines: Iterable[str], started: float, ended: float) -> Trace:
    """Cut the run from `started` to `ended` (CLOCK_MONOTONIC) into start, tasks and end.

    The linear strategy lets no task begin before the last has ended, so a command belongs to the
    task that had begun last when it began.
    """
    events = [json.loads(line) for line in lines]
    execs = [event for event in events if event["event"] == "exec"]
    marks = sorted((e for e in events if e["event"] != "exec"), key=lambda event: event["at"])
    edges = [{"event": "start", "at": started}, *marks, {"event": "exit", "at": ended}]
    parts = [
        _part(_name(mark), mark["at"], following["at"], execs)
        for mark, following in zip(edges, edges[1:], strict=False)
    ]
    return Trace(
        parts=tuple(parts),
        execs=Counter(event["host"] for event in execs),
        modules=Counter(event["host"] for event in execs if event["module"]),
    )


def _part(name: str, begin: float, end: float, execs: Iterable[Mapping[str, Any]]) -> Part:
    mine = [event for event in execs if begin <= event["at"] - event["seconds"] < end]
    on_wire: defaultdict[str, float] = defaultdict(float)
    for event in mine:
        on_wire[event["host"]] += event["seconds"]
    return Part(
        name=name,
        wall_s=end - begin,
        wire_s=max(on_wire.values(), default=0.0),
        hosts=len(on_wire),
        execs=len(mine),
        modules=sum(event["module"] for event in mine),
    )


def _name(mark: Mapping[str, Any]) -> str:
    fixed = {
        "start": "(start: imports, inventory, parsing)",
        "playbook": "(first play)",
        "stats": "(end)",
    }
    return fixed.get(mark["event"]) or str(mark["name"]).removeprefix("closet.inference.")

"""Counting module runs and cutting a run into its parts."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.spans import Trace, read


def exec_(at: float, host: str, seconds: float, *, module: bool) -> dict[str, Any]:
    return {"event": "exec", "at": at, "host": host, "seconds": seconds, "module": module}


EVENTS = [
    {"event": "playbook", "at": 101.0},
    {"event": "task", "at": 101.5, "name": "closet.inference.preflight : Gather the host facts"},
    # workers write when a command has ended, so lines are not in the order of their beginnings
    exec_(101.9, "10.0.0.2", 0.3, module=False),
    exec_(102.0, "10.0.0.1", 0.2, module=False),
    {"event": "task", "at": 102.1, "name": "closet.inference.omlx : Refuse a pin"},
    {"event": "task", "at": 102.2, "name": "Write - and keep"},
    exec_(102.8, "10.0.0.1", 0.25, module=True),
    exec_(103.1, "10.0.0.1", 0.25, module=True),
    {"event": "stats", "at": 103.2},
]


def trace() -> Trace:
    return read([json.dumps(event) for event in EVENTS], 100.0, 103.4)


def test_the_parts_are_the_whole_run_in_order() -> None:
    assert [(part.name, round(part.wall_s, 3)) for part in trace().parts] == [
        ("(start: imports, inventory, parsing)", 1.0),
        ("(first play)", 0.5),
        ("preflight : Gather the host facts", 0.6),
        ("omlx : Refuse a pin", 0.1),
        ("Write - and keep", 1.0),
        ("(end)", 0.2),
    ]


def test_a_command_belongs_to_the_task_during_which_it_began() -> None:
    look, spec, write = trace().parts[2:5]
    assert (look.hosts, look.execs, look.modules) == (2, 2, 0)
    assert (spec.hosts, spec.execs, spec.modules) == (0, 0, 0)
    assert (write.hosts, write.execs, write.modules) == (1, 2, 2)


def test_ssh_time_is_that_of_the_slowest_host() -> None:
    look, _, write = trace().parts[2:5]
    assert (round(look.wire_s, 3), round(look.rest_s, 3)) == (0.3, 0.3)
    assert (round(write.wire_s, 3), round(write.rest_s, 3)) == (0.5, 0.5)


def test_counts_by_address() -> None:
    assert trace().execs == {"10.0.0.1": 3, "10.0.0.2": 1}
    assert trace().modules == {"10.0.0.1": 2}

"""Medians, differences, and the one line that a machine reads."""

from __future__ import annotations

import json

import pytest

from benchmarks.cpu import Sample
from benchmarks.report import Series, last_line, module_runs, noise, per_further_laptop
from benchmarks.spans import Trace

CLOSET = "10.77.31.10"


def samples(*walls: float, cpu_s: float = 1.0, others_s: float | None = 0.0) -> list[Sample]:
    used = {"controller": cpu_s / 2, "laptops": cpu_s / 2, "hub": 7.0}
    return [Sample(wall, used, others_s) for wall in walls]


def series(hosts: int, no_change_cpu_s: float = 1.0, others_s: float | None = 0.0) -> Series:
    laptops = [f"10.77.31.{31 + number}" for number in range(hosts - 1)]
    modules = {CLOSET: 8, **dict.fromkeys(laptops, 3)}
    return Series(
        hosts=hosts,
        first=samples(60.0, 20.0, 30.04),
        no_change=samples(9.0, 6.0, 5.0, cpu_s=no_change_cpu_s, others_s=others_s),
        complete=samples(9.0, 6.0, 5.0, cpu_s=4.0),
        ping=samples(1.5, 1.0, 3.0),
        closet_address=CLOSET,
        trace=Trace(parts=(), execs=dict.fromkeys(modules, 4), modules=modules),
    )


def test_last_line_of_a_whole_measurement() -> None:
    measured = {4: series(4, 8.0), 16: series(16, 20.0), 32: series(32, 36.0)}
    assert json.loads(json.dumps(last_line(measured))) == {
        "benchmark": "converge",
        "no_change_over_ping": 4.0,
        "no_change_over_ping_cpu": 8.0,
        "complete_over_ping_cpu": 4.0,
        "first_run_s": 30.0,
        "no_change_s": {"4": 6.0, "16": 6.0, "32": 6.0},
        "cpu_s_per_further_laptop": 1.0,
        "module_runs": {"closet": 8, "client": 3},
    }


@pytest.mark.parametrize(
    ("sizes", "small", "missing"),
    [
        pytest.param([4], 4.0, ["16", "32"], id="quick"),
        pytest.param([16, 32], None, ["4"], id="without the smallest"),
    ],
)
def test_null_is_what_was_not_measured(
    sizes: list[int], small: float | None, missing: list[str]
) -> None:
    line = last_line({size: series(size) for size in sizes})
    assert line["no_change_over_ping"] == small
    assert line["cpu_s_per_further_laptop"] is None
    assert [size for size, seconds in line["no_change_s"].items() if seconds is None] == missing
    assert line["module_runs"] == {"closet": 8, "client": 3}


def test_the_hub_is_not_part_of_what_a_laptop_costs() -> None:
    assert per_further_laptop({4: series(4, 8.0), 32: series(32, 64.0)}) == 2.0


def test_the_laptop_that_needed_most_counts() -> None:
    one = series(4)
    more = Trace(parts=(), execs={}, modules={**one.trace.modules, "10.77.31.32": 5})
    assert module_runs(Series(**{**vars(one), "trace": more})) == {"closet": 8, "client": 5}


@pytest.mark.parametrize(
    ("others_s", "disturbed"),
    [
        pytest.param(0.0, False, id="alone"),
        pytest.param(2.0, False, id="a little"),
        pytest.param(20.0, True, id="half of the machine"),
        pytest.param(None, False, id="not known"),
    ],
)
def test_a_disturbed_series_says_so(others_s: float | None, disturbed: bool) -> None:
    warning = noise(series(4, others_s=others_s))
    assert (warning is not None) is disturbed

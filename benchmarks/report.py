"""What a measured series means: medians, ratios, tables for people, one line of JSON."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cpu import Sample
from benchmarks.spans import Trace

SIZES = (4, 16, 32)
"""Hosts, the closet included, that the last line has a place for."""

NOISE = 0.1
"""Share of other work in the CPU time from which a series says that it was disturbed."""


@dataclass(frozen=True)
class Series:
    """Everything that was measured with one number of hosts."""

    hosts: int
    first: Sequence[Sample]
    no_change: Sequence[Sample]
    complete: Sequence[Sample]
    """Without changes too, but with the tasks of all hosts."""
    ping: Sequence[Sample]
    closet_address: str
    trace: Trace


def wall(samples: Sequence[Sample]) -> float:
    """Median wall seconds."""
    return statistics.median(sample.wall_s for sample in samples)


def cpu(samples: Sequence[Sample]) -> float:
    """Median CPU seconds of all groups together, without the hub: it is not part of a real LAN."""
    return statistics.median(sample.total_s - sample.cpu_s.get("hub", 0.0) for sample in samples)


def per_further_laptop(series: Mapping[int, Series]) -> float | None:
    """CPU seconds that one more laptop costs in a no-change run, controller and laptop together."""
    small, large = SIZES[0], SIZES[-1]
    if small not in series or large not in series:
        return None
    return (cpu(series[large].no_change) - cpu(series[small].no_change)) / (large - small)


def module_runs(series: Series) -> dict[str, int]:
    """Module runs of the closet, and of the laptop that needed most."""
    counts = series.trace.modules
    clients = [count for address, count in counts.items() if address != series.closet_address]
    return {"closet": counts.get(series.closet_address, 0), "client": max(clients, default=0)}


def last_line(series: Mapping[int, Series]) -> dict[str, Any]:
    """The result for a machine; null is what was not measured."""
    small = series.get(SIZES[0])
    smallest = series[min(series)]
    laptop = per_further_laptop(series)
    return {
        "benchmark": "converge",
        "no_change_over_ping": round(wall(small.no_change) / wall(small.ping), 2)
        if small
        else None,
        "no_change_over_ping_cpu": round(cpu(small.no_change) / cpu(small.ping), 2)
        if small
        else None,
        "complete_over_ping_cpu": round(cpu(small.complete) / cpu(small.ping), 2)
        if small
        else None,
        "first_run_s": round(wall(small.first), 1) if small else None,
        "no_change_s": {
            str(hosts): round(wall(series[hosts].no_change), 2) if hosts in series else None
            for hosts in SIZES
        },
        "cpu_s_per_further_laptop": None if laptop is None else round(laptop, 2),
        "module_runs": module_runs(smallest),
    }


def console() -> Console:
    """Standard output; wide enough for the tables when it is a file."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def figures(series: Series) -> Table:
    """Wall and CPU time of the four things, as multiples of the ping."""
    table = Table(
        title=f"{series.hosts} hosts (1 closet, {series.hosts - 1} laptops)", min_width=90
    )
    groups = [name for name in series.ping[0].cpu_s if name != "hub"]
    for heading in ("", "runs", "wall s", "x ping", "CPU s", "x ping", *groups, "others"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    rows = {
        "first run": series.first,
        "no change, all tasks": series.complete,
        "no change": series.no_change,
        "ping": series.ping,
    }
    for name, samples in rows.items():
        table.add_row(
            name,
            str(len(samples)),
            f"{wall(samples):.2f}",
            f"{wall(samples) / wall(series.ping):.1f}",
            f"{cpu(samples):.2f}",
            f"{cpu(samples) / cpu(series.ping):.1f}",
            *(f"{statistics.median(s.cpu_s[group] for s in samples):.2f}" for group in groups),
            _others(samples),
        )
    return table


def noise(series: Series) -> str | None:
    """A warning when other work had a noticeable share of the processors while we measured."""
    samples = [*series.first, *series.no_change, *series.complete, *series.ping]
    known = [sample for sample in samples if sample.others_s is not None]
    others = sum(sample.others_s or 0.0 for sample in known)
    ours = sum(sample.total_s for sample in known)
    if others <= NOISE * (ours + others):
        return None
    return (
        f"Other work took {others / (ours + others):.0%} of the CPU time that was used meanwhile: "
        "wall times are upper bounds."
    )


def breakdown(series: Series) -> Table:
    """Where the wall time of one run without changes went that runs all tasks."""
    title = f"One run without changes, all tasks, {series.hosts} hosts: where the time went"
    table = Table(title=title, min_width=90)
    for heading in ("", "wall s", "ssh s", "rest s", "hosts", "ssh runs", "module runs"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for part in series.trace.parts:
        table.add_row(
            part.name,
            *(f"{seconds:.2f}" for seconds in (part.wall_s, part.wire_s, part.rest_s)),
            *(str(count) if count else "" for count in (part.hosts, part.execs, part.modules)),
        )
    parts = series.trace.parts
    table.add_section()
    table.add_row(
        "all",
        f"{sum(part.wall_s for part in parts):.2f}",
        f"{sum(part.wire_s for part in parts):.2f}",
        f"{sum(part.rest_s for part in parts):.2f}",
        str(series.hosts),
        str(sum(part.execs for part in parts)),
        str(sum(part.modules for part in parts)),
    )
    return table


def _others(samples: Sequence[Sample]) -> str:
    known = [sample.others_s for sample in samples if sample.others_s is not None]
    return f"{statistics.median(known):.2f}" if known else "?"

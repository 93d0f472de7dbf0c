"""How long site.yml takes, the first time and with nothing to do, against `ansible -m ping`.

The last line of output is JSON. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import report, spans
from benchmarks.controller import Controller
from benchmarks.cpu import Meter, meter
from benchmarks.lan import BenchmarkError, BenchmarkLan, lans
from lab.paths import CHECKOUT

ALL_TASKS = "--flush-cache"
"""A run with this option runs the tasks of all hosts, whatever is recorded of them."""

GROUPS = ("controller", "closet", "laptops", "hub")


@dataclass(frozen=True)
class Plan:
    """What to measure: how many laptops, and how often."""

    laptops: Sequence[int]
    repeats: int
    first_runs: int


def main(argv: Sequence[str]) -> int:
    """Measure, print, end with the JSON; returns the exit code."""
    wanted = plan(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="closet-benchmark-") as scratch,
            meter(GROUPS) as cpu_meter,
            lans(cpu_meter) as lan,
        ):
            measured = _measure(wanted, lan, Controller(cpu_meter, Path(scratch)), cpu_meter)
    except BenchmarkError as err:
        print(f"benchmark: {err}", file=sys.stderr)
        return 1
    print(json.dumps(report.last_line(measured)))
    return 0


def _measure(
    wanted: Plan, lan: BenchmarkLan, controller: Controller, cpu_meter: Meter
) -> dict[int, report.Series]:
    out = report.console()
    out.print(
        f"{os.cpu_count()} cores, shared by the controller and all simulated Macs. "
        f"CPU time: {cpu_meter.method}."
    )
    out.print(f"Load before: {_load()}. Others: CPU seconds of processes that are none of ours.")
    start = controller.start()
    out.print(f"ansible-playbook --version: {start.wall_s:.2f} s, {start.total_s:.2f} CPU s.")
    measured = {}
    for laptops in wanted.laptops:
        series = _series(laptops, wanted, lan, controller)
        measured[series.hosts] = series
        for table in (report.figures(series), report.breakdown(series)):
            out.print(table)
        out.print(f"Per host: {_per_host(series)}. Load after: {_load()}.")
        out.print(report.noise(series) or "Nothing else took a noticeable share of the processors.")
    laptop = report.per_further_laptop(measured)
    if laptop is not None:
        out.print(f"A further laptop costs {laptop:.2f} CPU s, on the controller and on itself.")
    return measured


def _series(laptops: int, wanted: Plan, lan: BenchmarkLan, controller: Controller) -> report.Series:
    first, complete, no_change, ping = [], [], [], []
    for turn in range(wanted.first_runs):
        _say(f"1+{laptops}: first run {turn + 1} of {wanted.first_runs}, on a fresh lab")
        with lan.up(laptops) as inventory:
            controller.confirm(inventory)
            first.append(controller.site(inventory))
            if turn + 1 < wanted.first_runs:
                continue
            # the second of these finds no change and records it
            for _settling in range(2):
                controller.site(inventory)
            for again in range(wanted.repeats):
                _say(f"1+{laptops}: ping and no-change runs {again + 1} of {wanted.repeats}")
                ping.append(controller.ping(inventory))
                no_change.append(controller.site(inventory))
                _check_no_change(controller.log.read_text())
                complete.append(controller.site(inventory, ALL_TASKS))
                _check_no_change(controller.log.read_text())
            trace = _traced(inventory, controller)
            hosts = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["children"]
    closet = next(iter(hosts["closet"]["hosts"].values()))["ansible_host"]
    return report.Series(laptops + 1, first, no_change, complete, ping, closet, trace)


def _traced(inventory: Path, controller: Controller) -> spans.Trace:
    """One more complete run without changes, which counts for no median, with our callback."""
    file = controller.log.with_name("spans")
    file.unlink(missing_ok=True)
    started = time.monotonic()
    controller.site(
        inventory,
        ALL_TASKS,
        CLOSET_SPANS=str(file),
        ANSIBLE_CALLBACK_PLUGINS=str(CHECKOUT / "benchmarks" / "callbacks"),
        ANSIBLE_CALLBACKS_ENABLED="closet_spans",
    )
    return spans.read(file.read_text().splitlines(), started, time.monotonic())


def _check_no_change(output: str) -> None:
    changed = what_changed(output)
    if changed:
        _say(f"ATTENTION: this run should have changed nothing, it changed {', '.join(changed)}")


def what_changed(output: str) -> list[str]:
    """The hosts whose line in the play recap counts a change."""
    return re.findall(r"^(\S+)\s+: ok=.*changed=[1-9].*$", output, re.MULTILINE)


def _per_host(series: report.Series) -> str:
    runs = report.module_runs(series)
    closet = series.trace.execs.get(series.closet_address, 0)
    clients = [n for host, n in series.trace.execs.items() if host != series.closet_address]
    return (
        f"the closet {runs['closet']} module runs in {closet} ssh runs, "
        f"a laptop {runs['client']} in {max(clients, default=0)}"
    )


def _load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _say(text: str) -> None:
    print(text, flush=True)


def plan(argv: Sequence[str]) -> Plan:
    """What these words ask for; argparse ends the process when it makes no sense."""
    parser = argparse.ArgumentParser(prog="benchmarks/converge.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes: 1+3 hosts alone")
    parser.add_argument(
        "--laptops", type=_numbers, default="3,15,31", help="numbers of laptops, as 3,15,31"
    )
    parser.add_argument("--repeats", type=_number, default=3, help="runs behind each median")
    parser.add_argument("--first-runs", type=_number, help="fresh labs per size; as --repeats")
    given = parser.parse_args(argv)
    if given.quick:
        return Plan((3,), 3, 1)
    return Plan(given.laptops, given.repeats, given.first_runs or given.repeats)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_number(word) for word in text.split(","))


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it has to be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

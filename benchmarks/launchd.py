"""What launchd_job costs against community.general.launchd, for the same wants on the same Mac.

One simulated Mac, real ssh, real sudo. The rival does not write plists, so it gets the usual task
before it that does. The last line of output is JSON. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import report
from benchmarks.controller import Controller
from benchmarks.cpu import Meter, Sample, meter
from benchmarks.lan import BenchmarkError, lans
from lab.paths import CHECKOUT, cache

GROUPS = ("controller", "closet", "laptops", "hub")
LOCK = Path(__file__).with_name("community.lock")
MANY = 20
LABEL = "inference.closet.benchmark"

Tasks = list[dict[str, Any]]


@dataclass
class Cost:
    """What one way of doing one thing took, and how often it failed."""

    samples: list[Sample] = field(default_factory=list)
    failures: int = 0

    @property
    def wall_s(self) -> float:
        return statistics.median(sample.wall_s for sample in self.samples)

    @property
    def cpu_s(self) -> float:
        return statistics.median(sample.total_s for sample in self.samples)


def definition(way: str, number: int, version: int) -> dict[str, Any]:
    """One job of one way: a program that stays, with an argument that changes with the version."""
    return {
        "Label": f"{LABEL}.{way}.{number}",
        "ProgramArguments": ["/bin/sh", "-c", "exec sleep 100000", f"version-{version}"],
        "KeepAlive": True,
    }


def ours(jobs: int, version: int) -> Tasks:
    """All jobs in one call."""
    wanted = [
        {"label": plist["Label"], "plist": plist}
        for plist in (definition("ours", number, version) for number in range(jobs))
    ]
    return [{"closet.inference.launchd_job": {"jobs": wanted}}]


def theirs(jobs: int, version: int) -> Tasks:
    """The plist by one task, the job by another, restarted when the plist changed."""
    plists = [definition("theirs", number, version) for number in range(jobs)]
    return [
        {
            "ansible.builtin.copy": {
                "dest": "/Library/LaunchDaemons/{{ item.Label }}.plist",
                "content": "{{ item | closet.benchmark.plist }}",
                "mode": "0644",
            },
            "loop": plists,
            "loop_control": {"label": "{{ item.Label }}"},
            "register": "plists",
        },
        {
            "community.general.launchd": {
                "name": "{{ item.item.Label }}",
                "state": "{{ 'restarted' if item is changed else 'started' }}",
            },
            "loop": "{{ plists.results }}",
            "loop_control": {"label": "{{ item.item.Label }}"},
        },
    ]


def floor(_jobs: int, _version: int) -> Tasks:
    """One module run that does nothing."""
    return [{"ansible.builtin.ping": {}}]


WAYS: Mapping[str, Callable[[int, int], Tasks]] = {"ours": ours, "theirs": theirs, "floor": floor}

FILTER = """import plistlib
class FilterModule:
    def filters(self):
        return {"plist": lambda content: plistlib.dumps(_plain(content)).decode()}
def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
"""


class Bench:
    """One Mac, both collections, and a playbook for each thing to measure."""

    def __init__(self, controller: Controller, inventory: Path, folder: Path) -> None:
        self._controller = controller
        self._inventory = inventory
        self._folder = folder
        self._version = 0
        self._environment = {
            "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / 'collections'}:{rival()}:{folder}",
        }
        plugins = folder / "ansible_collections/closet/benchmark/plugins/filter"
        plugins.mkdir(parents=True)
        (plugins / "plist.py").write_text(FILTER)

    def run(self, way: str, jobs: int, version: int) -> Sample:
        """One playbook run that leads to `version` of so many jobs."""
        book = self._folder / "play.yml"
        play = {
            "hosts": "closet",
            "gather_facts": False,
            "become": True,
            "tasks": WAYS[way](jobs, version),
        }
        book.write_text(yaml.safe_dump([play], sort_keys=False))
        return self._controller.play(self._inventory, book, **self._environment)

    def compare(
        self, jobs: int, change: bool, repeats: int, alone: bool = False
    ) -> dict[str, Cost]:
        """The same thing in each way, in turns; `alone` leaves the rival out."""
        ways = ["ours"] if alone else ["ours", "theirs"]
        ways += [] if change else ["floor"]
        costs = {way: Cost() for way in ways}
        for way in ways:
            if way != "floor":
                self._prepare(way, jobs)
        for turn in range(repeats):
            self._version += change
            for way, cost in costs.items():
                _say(f"{jobs} {'changed' if change else 'unchanged'}, {way}, {turn + 1}")
                try:
                    cost.samples.append(self.run(way, jobs, self._version))
                except BenchmarkError as err:
                    cost.failures += 1
                    _say(str(err).splitlines()[-1])
        return costs

    def _prepare(self, way: str, jobs: int) -> None:
        """Bring all jobs to the current version, before any time is taken."""
        try:
            self.run(way, jobs, self._version)
        except BenchmarkError as err:
            _say(f"before the measurement: {str(err).splitlines()[-1]}")


def rival() -> Path:
    """The folder with community.general, installed once into the cache and nowhere else."""
    folder = cache() / "benchmark-community"
    wanted = LOCK.read_text()
    mark = folder / "lock"
    if mark.exists() and mark.read_text() == wanted:
        return folder
    _say("Fetching the package that has community.general, once.")
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        argv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"]
        argv += ["--no-deps", "--require-hashes", "--target", scratch, "-r", str(LOCK)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchmarkError(f"cannot install the rival: {done.stderr.strip()}")
        source = Path(scratch, "ansible_collections/community/general")
        shutil.copytree(source, folder / "ansible_collections/community/general")
    mark.write_text(wanted)
    return folder


def main(argv: Sequence[str]) -> int:
    """Measure, print, end with the JSON; returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks/launchd.py", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="under two minutes: twenty jobs without the rival"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs behind each median")
    wanted = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="closet-benchmark-") as scratch,
            meter(GROUPS) as cpu_meter,
            lans(cpu_meter) as lan,
        ):
            rival()
            with lan.up(1) as inventory:
                controller = Controller(cpu_meter, Path(scratch))
                bench = Bench(controller, inventory, Path(scratch))
                measured = _measure(bench, cpu_meter, wanted.repeats, wanted.quick)
    except BenchmarkError as err:
        print(f"benchmark: {err}", file=sys.stderr)
        return 1
    print(json.dumps(last_line(measured)))
    return 0


Measured = dict[tuple[int, bool], dict[str, Cost]]


def _measure(bench: Bench, cpu_meter: Meter, repeats: int, quick: bool) -> Measured:
    out = report.console()
    out.print(f"{os.cpu_count()} cores, shared by all. CPU time: {cpu_meter.method}.")
    things = [(1, False), (MANY, False), (1, True), *([] if quick else [(MANY, True)])]
    measured = {
        (jobs, change): bench.compare(jobs, change, repeats, alone=quick and jobs > 1)
        for jobs, change in things
    }
    out.print(table(measured))
    return measured


def above_floor(measured: Measured, jobs: int, change: bool, way: str) -> float | None:
    """Wall seconds of the tasks alone: what a play costs that does nothing is taken off."""
    cost = measured.get((jobs, change), {}).get(way)
    if cost is None or not cost.samples:
        return None
    return cost.wall_s - measured[(1, False)]["floor"].wall_s


def last_line(measured: Measured) -> dict[str, Any]:
    """The result for a machine; null is what was not measured."""

    def ratio(one: float | None, other: float | None) -> float | None:
        return None if one is None or not other else round(one / other, 2)

    def cost(jobs: int, change: bool, way: str) -> float | None:
        found = measured.get((jobs, change), {}).get(way)
        return found.wall_s if found and found.samples else None

    return {
        "benchmark": "launchd",
        "no_change_over_community": ratio(cost(1, False, "ours"), cost(1, False, "theirs")),
        "change_over_community": ratio(cost(1, True, "ours"), cost(1, True, "theirs")),
        "twenty_no_change_over_one": ratio(cost(MANY, False, "ours"), cost(1, False, "ours")),
        "twenty_no_change_over_community": ratio(
            cost(MANY, False, "ours"), cost(MANY, False, "theirs")
        ),
        "twenty_change_over_community": ratio(cost(MANY, True, "ours"), cost(MANY, True, "theirs")),
        "tasks_alone": {
            "no_change_over_community": ratio(
                above_floor(measured, 1, False, "ours"), above_floor(measured, 1, False, "theirs")
            ),
            "twenty_no_change_over_one": ratio(
                above_floor(measured, MANY, False, "ours"),
                above_floor(measured, 1, False, "ours"),
            ),
        },
        "failed_runs": {
            way: sum(costs[way].failures for costs in measured.values() if way in costs)
            for way in ("ours", "theirs")
        },
    }


def table(measured: Measured) -> Table:
    """Wall and CPU seconds of whole plays."""
    found = Table(title="Whole plays, medians", min_width=90)
    for heading in ("", "way", "runs", "failed", "wall s", "CPU s"):
        found.add_column(heading, justify="left" if heading in ("", "way") else "right")
    for (jobs, change), costs in measured.items():
        for way, cost in costs.items():
            figures = (f"{cost.wall_s:.2f}", f"{cost.cpu_s:.2f}") if cost.samples else ("?", "?")
            name = f"{jobs} job{'s'[: jobs > 1]}, {'changed' if change else 'no change'}"
            found.add_row(name, way, str(len(cost.samples)), str(cost.failures), *figures)
        found.add_section()
    return found


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

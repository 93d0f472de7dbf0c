"""How fast a model comes, and what a kill costs: ours against `hf download` and against curl.

One hub, the same files, one machine. The last line of output is JSON. See benchmarks/README.md.
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
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import clients, floors, report
from benchmarks.clients import Client, PullError, Run
from lab.paths import CHECKOUT, cache

MIB = 1 << 20
REPO = "bench/weights"
FULL = (1024, 512, 256, 256)
QUICK = (256, 256)
#: per answer of the hub, while a kill at half is waited for: without it, what lies in the
#: kernel's buffers would count as fetched
KILL_RATE = 60 * MIB
FLOORS = ("httpx alone", "sha256 alone")


@dataclass(frozen=True)
class Hub:
    """The lab's hub in a process of its own on 127.0.0.1."""

    endpoint: str

    def order(self, what: str, body: Any = None, method: str | None = None) -> Any:
        """Ask `/_lab/…`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_lab/{what}", data, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def sent(self) -> int:
        """Bytes of files that left since the last reset."""
        return sum(row["bytes"] for row in self.order("served"))


@dataclass(frozen=True)
class Plan:
    """Sizes of the files in MiB, and how often everything is measured."""

    sizes: Sequence[int]
    repeats: int

    @property
    def names(self) -> list[str]:
        """The files of the repository."""
        count = len(self.sizes)
        return [f"model-{n + 1:05d}-of-{count:05d}.safetensors" for n in range(count)]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes) * MIB


@contextmanager
def running_hub(scratch: Path) -> Iterator[Hub]:
    """Start the hub on free ports; it ends with us."""
    words = ["--bind", "127.0.0.1", "--cache", str(cache()), "--log", str(scratch / "hub.jsonl")]
    ports = ["--hub-port", "0", "--packages-port", "0", "--storage-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.hub.server", *words, *ports],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Hub(f"http://{process.stdout.readline().split()[-1]}")
    finally:
        process.terminate()
        process.wait(30)


def publish(hub: Hub, plan: Plan) -> None:
    """Put the files on the hub; their hashes are known before anybody asks for them."""
    files = {
        name: {"size": size * MIB, "seed": number}
        for number, (name, size) in enumerate(zip(plan.names, plan.sizes, strict=True))
    }
    hub.order("commits", {"repo": REPO, "files": files})


def measure(hub: Hub, plan: Plan, client: Client, scratch: Path) -> Run:
    """One pull from nothing."""
    target = scratch / client.name
    try:
        return clients.pull(client, hub.endpoint, plan.names, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def refetched(hub: Hub, plan: Plan, client: Client, scratch: Path) -> int:
    """Bytes that left the hub beyond the files' own, after a kill at half and a second run."""
    target = scratch / client.name
    hub.order("served", method="DELETE")
    fault = hub.order("faults", {"rate_bytes_per_s": KILL_RATE})["id"]
    try:
        half: Callable[[], bool] = lambda: hub.sent() >= plan.total // 2  # noqa: E731
        if not clients.pull(client, hub.endpoint, plan.names, target, half).killed:
            raise PullError(f"{client.name} was done before half of it had come")
        clients.pull(client, hub.endpoint, plan.names, target)
        return hub.sent() - plan.total
    finally:
        hub.order(f"faults/{fault}", method="DELETE")
        shutil.rmtree(target, ignore_errors=True)


def table(
    runs: Mapping[str, Sequence[Run]], again: Mapping[str, Sequence[int]], plan: Plan
) -> Table:
    """Medians for people."""
    shown = Table(title=f"{plan.total / MIB:.0f} MiB in {len(plan.sizes)} files", min_width=90)
    for heading in ("", "runs", "wall s", "MiB/s", "CPU s", "peak MiB", "fetched again MiB"):
        shown.add_column(heading, justify="left" if heading == "" else "right")
    for name, found in runs.items():
        lost = again.get(name)
        shown.add_row(
            name,
            str(len(found)),
            f"{median(found, 'wall_s'):.2f}",
            f"{plan.total / MIB / median(found, 'wall_s'):.0f}",
            f"{median(found, 'cpu_s'):.2f}",
            f"{median(found, 'peak_mib'):.0f}",
            f"{statistics.median(lost) / MIB:.1f}" if lost else "",
        )
    return shown


def median(runs: Sequence[Run], what: str) -> float:
    """The median of one figure."""
    return float(statistics.median(getattr(run, what) for run in runs))


def last_line(
    runs: Mapping[str, Sequence[Run]], again: Mapping[str, Sequence[int]], load: float
) -> dict[str, Any]:
    """The result for a machine; `load` is what else the machine had to do when it began."""
    cpu = {name: median(found, "cpu_s") for name, found in runs.items()}
    floor = sum(cpu[name] for name in FLOORS)
    wall = {name: median(found, "wall_s") for name, found in runs.items()}
    return {
        "benchmark": "pull",
        "throughput_over_hf": round(wall["hf"] / wall["ours"], 2),
        "wall_over_curl": round(wall["ours"] / wall["curl"], 2),
        "peak_mib": round(max(run.peak_mib for run in runs["ours"])),
        "refetched_mib_after_kill": round(statistics.median(again["ours"]) / MIB, 1),
        "hf_refetched_mib_after_kill": round(statistics.median(again["hf"]) / MIB, 1),
        "cpu_over_hf": round(cpu["ours"] / cpu["hf"], 2),
        "cpu_over_curl": round(cpu["ours"] / cpu["curl"], 2),
        "httpx_and_sha256_cpu_over_curl": round(floor / cpu["curl"], 2),
        "load_before": load,
    }


def run(plan: Plan, scratch: Path) -> dict[str, Any]:
    """Everything, the clients taking turns, so that a busy minute hits all of them."""
    console = report.console()
    program, version = clients.hf_program(cache())
    load = round(os.getloadavg()[0], 1)
    console.print(
        f"huggingface_hub {version}, Python {sys.version.split()[0]}, {os.cpu_count()} processors, "
        f"load {load} before we began"
    )
    with running_hub(scratch) as hub:
        publish(hub, plan)
        everybody = [
            clients.ours(hub.endpoint, REPO),
            clients.hugging_face(hub.endpoint, REPO, program),
            clients.curl(hub.endpoint, REPO),
            floors.httpx_alone(hub.endpoint, REPO, plan.sizes),
            floors.sha256_alone(plan.sizes),
        ]
        runs: dict[str, list[Run]] = {client.name: [] for client in everybody}
        again: dict[str, list[int]] = {"ours": [], "hf": []}
        for turn in range(plan.repeats):
            for client in everybody[:: -1 if turn % 2 else 1]:
                runs[client.name].append(measure(hub, plan, client, scratch))
        for _ in range(plan.repeats):
            for client in everybody[:2]:
                again[client.name].append(refetched(hub, plan, client, scratch))
    console.print(table(runs, again, plan))
    return last_line(runs, again, load)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/pull.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two files of 256 MiB")
    parser.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    # a stop from outside ends the hub and removes the files, like any other end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("pull: stopped"))
    plan = Plan(QUICK if options.quick else FULL, options.repeats)
    base = cache() / "benchmark-pull"
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        try:
            result = run(plan, Path(scratch))
        except (PullError, OSError, subprocess.CalledProcessError) as problem:
            sys.exit(f"pull: {problem}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

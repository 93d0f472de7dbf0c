"""A lab of any size: a temporary inventory made from inventories/lab, brought up and taken down."""

from __future__ import annotations

import fcntl
import ipaddress
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cpu import Meter
from lab import state
from lab.paths import CHECKOUT, INVENTORY, cache

FIRST_LAPTOP = 31
"""Last byte of the first laptop's address; the rest of the lab lives below."""


class BenchmarkError(RuntimeError):
    """Something a person can act on; the text says what."""


def inventory(lab: Mapping[str, Any], laptops: int) -> dict[str, Any]:
    """Return the lab's own inventory with `laptops` laptops in place of those it has.

    Their hardware is that of the lab's laptops, over and over.
    """
    tree = lab["all"]
    network = ipaddress.IPv4Network(tree["vars"]["lab_network"])
    addresses = itertools.islice(network.hosts(), FIRST_LAPTOP - 1, None)
    kinds = [host["lab_mac"] for host in tree["children"]["clients"]["hosts"].values()]
    hosts = {
        f"laptop{number:02}": {"ansible_host": str(address), "lab_mac": dict(kind)}
        for number, address, kind in zip(
            range(1, laptops + 1), addresses, itertools.cycle(kinds), strict=False
        )
    }
    if len(hosts) < laptops:
        raise BenchmarkError(f"{network} has room for {len(hosts)} laptops, not for {laptops}")
    return {"all": {**tree, "children": {**tree["children"], "clients": {"hosts": hosts}}}}


class BenchmarkLan:
    """The labs of one benchmark run, one after the other."""

    def __init__(self, base: Path, meter: Meter) -> None:
        self._base = base
        self._meter = meter

    @contextmanager
    def up(self, laptops: int) -> Iterator[Path]:
        """A fresh lab with nobody provisioned; gives the inventory's folder."""
        folder = self._write(laptops)
        self._lab("up", "--inventory", str(folder))
        try:
            running = state.load()
            if running is None:
                raise BenchmarkError("`lab up` said nothing and no lab is up")
            closets = yaml.safe_load((folder / "hosts.yml").read_text())["all"]["children"][
                "closet"
            ]
            for name, machine in running.machines.items():
                group = "closet" if name in closets["hosts"] else "laptops"
                self._meter.move_tree(group, machine.pid)
            yield folder
        finally:
            self._lab("down")

    def clear(self) -> None:
        """Take down what an interrupted benchmark left; refuse when somebody else's lab is up."""
        running = state.load()
        if running is None:
            return
        ours = running.checkout == str(CHECKOUT)
        if not ours or self._base not in Path(running.inventory).parents:
            raise BenchmarkError(
                f"a lab of {running.inventory} is up, and there is one lab per machine: "
                f"`make lab-down` in {running.checkout} takes it down"
            )
        self._lab("down")

    def _write(self, laptops: int) -> Path:
        # lab/group_vars names files of the checkout relative to the inventory: ../../lab/…
        shutil.rmtree(self._base, ignore_errors=True)
        folder = self._base / "inventories" / f"laptops-{laptops}"
        folder.mkdir(parents=True)
        (self._base / "lab").symlink_to(CHECKOUT / "lab")
        shutil.copytree(INVENTORY / "group_vars", folder / "group_vars")
        document = inventory(yaml.safe_load((INVENTORY / "hosts.yml").read_text()), laptops)
        (folder / "hosts.yml").write_text(yaml.safe_dump(document, sort_keys=False))
        return folder

    def _lab(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "lab", *words],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            # the hub that it starts stands in for the internet and is counted by itself
            preexec_fn=self._meter.born_in("hub"),
        )
        if done.returncode != 0:
            raise BenchmarkError(f"`lab {words[0]}` failed:\n{done.stdout.strip()}")


@contextmanager
def lans(meter: Meter) -> Iterator[BenchmarkLan]:
    """The one benchmark of this machine that may use the lab now; leaves nothing behind."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise BenchmarkError("the lab needs root on Linux: run this as root")
    base = cache() / "benchmark"
    base.parent.mkdir(parents=True, exist_ok=True)
    with base.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise BenchmarkError("another benchmark is running on this machine") from err
        lan = BenchmarkLan(base, meter)
        lan.clear()
        try:
            yield lan
        finally:
            shutil.rmtree(base, ignore_errors=True)

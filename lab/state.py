"""What runs: one small file that `lab up` writes and every other command reads."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.host import Process
from lab.paths import STATE

FILE = STATE / "lab.json"
LOCK = Path("/run/closet-lab.lock")


@dataclass(frozen=True)
class Running:
    """A lab that is up: whose it is, from which inventory, its processes, and who is away."""

    checkout: str
    inventory: str
    layer: str
    machines: Mapping[str, Process]
    hub: Process | None
    control: Process | None = None
    away: tuple[str, ...] = ()


def load() -> Running | None:
    """Return the lab that is up on this machine, or None."""
    try:
        data = json.loads(FILE.read_text())
    except FileNotFoundError:
        return None
    return Running(
        checkout=data["checkout"],
        inventory=data["inventory"],
        layer=data["layer"],
        machines={name: Process(**machine) for name, machine in data["machines"].items()},
        hub=Process(**data["hub"]) if data["hub"] else None,
        control=Process(**data["control"]) if data.get("control") else None,
        away=tuple(data.get("away", ())),
    )


def save(running: Running) -> None:
    """Write the state atomically."""
    staging = FILE.with_suffix(".new")
    staging.write_text(json.dumps(asdict(running), indent=2))
    staging.replace(FILE)


@contextmanager
def locked() -> Iterator[None]:
    """Hold the one lock of the machine's lab, so that two `lab up` do not meet halfway."""
    descriptor = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""A LAN on disk with everything that was provisioned on it: a later lab starts from it.

`lab save FOLDER` switches every machine off in an orderly way and copies what is on disks: those of
the machines, the ssh keys, the control server's database, and what the controller keeps beside the
inventory. `lab up --saved FOLDER` boots copies of them, so that a test of the second run does not
have to wait for a first one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab import disk, host, state
from lab.find import LabError
from lab.inventory import Lan, Mac
from lab.paths import STATE

CONTROLLER = (".secrets", ".closet")
"""What playbooks keep beside the inventory: the keys, and the chosen profiles."""
MACHINES = "machines.json"


def save(running: state.Running, lan: Lan, target: Path) -> None:
    """Halt the machines and copy what outlives that to `target`, which must not exist.

    The hub and the control server have to be down already: the latter's database is copied.
    """
    if target.exists():
        raise LabError(f"{target} exists: name a folder that does not, or remove it first")
    for machine in lan.machines:
        host.halt(running.machines[machine.name])
    staging = target.with_name(f"{target.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True, mode=0o700)
    for name in ("ssh", "control"):
        if (STATE / name).exists():
            _copy(STATE / name, staging / name)
    for machine in lan.machines:
        upper = Path("hosts") / machine.name / "upper"
        (staging / upper).parent.mkdir(parents=True)
        _copy(STATE / upper, staging / upper)
    for name in CONTROLLER:
        if (Path(running.inventory) / name).exists():
            _copy(Path(running.inventory) / name, staging / name)
    (staging / MACHINES).write_text(json.dumps(described(lan), indent=2))
    staging.rename(target)


def restore(lan: Lan, inventory: Path, source: Path) -> None:
    """Copy a saved LAN to where a lab has its disks, instead of making new ones."""
    try:
        saved = json.loads((source / MACHINES).read_text())
    except (OSError, ValueError) as err:
        raise LabError(f"{source} holds no LAN that `lab save` wrote: {err}") from err
    if saved != described(lan):
        raise LabError(f"{source} was saved from a LAN with other machines than {inventory}")
    for name in ("ssh", "control"):
        if (source / name).exists():
            _copy(source / name, STATE / name)
    for machine in lan.machines:
        disk.make_mountpoints(machine.name)
        upper = Path("hosts") / machine.name / "upper"
        _copy(source / upper, STATE / upper)
    for name in CONTROLLER:
        shutil.rmtree(inventory / name, ignore_errors=True)
        if (source / name).exists():
            _copy(source / name, inventory / name)


def described(lan: Lan) -> Mapping[str, Mapping[str, object]]:
    """What each machine is, as JSON has it: a disk fits no other machine."""
    return {
        machine.name: {
            "address": machine.address,
            "user": machine.user,
            "facts": json.loads(json.dumps(dict(machine.facts)))
            if isinstance(machine, Mac)
            else {},
        }
        for machine in lan.machines
    }


def _copy(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes, hard links, device nodes and overlayfs' own attributes."""
    # shutil.copytree keeps none of these
    subprocess.run(["cp", "--archive", str(source), str(target)], check=True)

"""The lab that is up, and a Mac of it, wherever that is; or a sentence about why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import host, state
from lab.inventory import Lan, Mac, read
from lab.paths import HOSTS


class LabError(RuntimeError):
    """Something a person can act on; the text says what."""


def running_lan() -> tuple[state.Running, Lan]:
    """The lab that is up, and its LAN."""
    running = state.load()
    if running is None:
        raise LabError("the lab is down: `make lab` brings it up")
    return running, read(Path(running.inventory))


def find(name: str) -> tuple[state.Running, Mac]:
    """The lab that is up, and the Mac of this name."""
    running, lan = running_lan()
    macs = {mac.name: mac for mac in lan.macs}
    if name not in macs:
        raise LabError(f"there is no Mac called {name}; there are {', '.join(macs)}")
    return running, macs[name]


def away_addresses(running: state.Running) -> dict[str, str]:
    """The address of each Mac that is not at home."""
    lan = read(Path(running.inventory)) if running.away else None
    return {name: lan.away_address(name) for name in running.away} if lan else {}


def expect_ssh(macs: Sequence[Mac], away: Mapping[str, str]) -> None:
    """Wait until sshd of every Mac answers."""
    silent = host.wait_for_ssh(macs, away)
    if silent:
        name = silent[0].name
        console = HOSTS / name / "console.log"
        tail = "\n".join(console.read_text(errors="replace").splitlines()[-10:])
        raise LabError(f"sshd of {name} did not answer within 30 s. Its console says:\n{tail}")

"""A laptop leaves home, and comes back: another network, other names, the same machine."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import network, state
from lab.disk import hosts_file
from lab.find import LabError, away_addresses, expect_ssh, find
from lab.host import Process, pid_one
from lab.inventory import Lan, Mac, read


def roam(arguments: argparse.Namespace) -> None:
    """Carry a Mac to another network, from which only the control server can be reached."""
    _carry(arguments.host, away=True)
    print(f"{arguments.host} is away; `lab home {arguments.host}` brings it back.")


def home(arguments: argparse.Namespace) -> None:
    """Bring a Mac back to the LAN."""
    _carry(arguments.host, away=False)
    print(f"{arguments.host} is at home.")


def add_words(commands: Any) -> None:
    """Teach the command line the words of this room."""
    for name, function in (("roam", roam), ("home", home)):
        command = commands.add_parser(name, help=function.__doc__)
        command.add_argument("host")
        command.set_defaults(command=function)


def _carry(name: str, *, away: bool) -> None:
    running, mac = find(name)
    carry(read(Path(running.inventory)), mac, running.machines[name], away=away)
    others = [each for each in running.away if each != name]
    running = replace(running, away=(*others, name) if away else tuple(others))
    state.save(running)
    expect_ssh([mac], away_addresses(running))


def carry(lan: Lan, mac: Mac, machine: Process, *, away: bool) -> None:
    """Carry a running Mac away or home."""
    if lan.away is None:
        raise LabError("this inventory has no lab_away, so there is nowhere to go")
    launchd = pid_one(machine)
    if launchd is None:
        raise LabError(f"{mac.name} is off: `lab up` switches it on")
    network.move(lan, mac.name, away=away)
    hosts = Path(f"/proc/{launchd}/root/etc/hosts")
    staging = hosts.with_name(f".hosts.{os.getpid()}")
    staging.write_text(rehosted(hosts.read_text(), lan, mac.name, away=away))
    staging.replace(hosts)


def rehosted(text: str, lan: Lan, name: str, *, away: bool) -> str:
    """The Mac's host file with the names of where it is; lines of others stay."""
    at_home, elsewhere = hosts_file(lan), hosts_file(lan, name)
    ours = {*at_home.splitlines(), *elsewhere.splitlines()}
    others = [line for line in text.splitlines() if line not in ours]
    return (elsewhere if away else at_home) + "".join(f"{line}\n" for line in others)

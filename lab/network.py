"""The LAN itself: one bridge, and one network namespace per machine, made in one `ip` process."""

from __future__ import annotations

import subprocess

from lab.inventory import Lan

PREFIX = "closetlab"
"""Everything the lab makes in the kernel carries this name, so that it finds (and removes) only
its own things on a machine that others use too."""

BRIDGE = f"{PREFIX}0"


class NetworkError(RuntimeError):
    """The kernel refused; the text carries what `ip` said."""


def namespace(name: str) -> str:
    """Return the network namespace's name for the machine `name`."""
    return f"{PREFIX}-{name}"


def build(lan: Lan) -> None:
    """Make the bridge and a cabled namespace per machine, the hub included."""
    outside = [
        f"link add {BRIDGE} type bridge forward_delay 0",
        f"addr add {lan.controller}/{lan.network.prefixlen} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    ]
    for port, name in enumerate(lan.names):
        space, veth = namespace(name), f"{PREFIX}p{port}"
        outside += [
            f"netns add {space}",
            f"link add {veth} type veth peer name en0 netns {space}",
            f"link set {veth} master {BRIDGE} up",
        ]
    _batch(outside)
    for name, address in lan.names.items():
        inside = [
            "link set lo up",
            f"addr add {address}/{lan.network.prefixlen} dev en0",
            "link set en0 up",
            f"route add default via {lan.controller}",
        ]
        _batch(inside, namespace(name))


def remove() -> None:
    """Take down every interface and namespace that carries the lab's name; never fails."""
    # Interfaces first and by name: a deleted namespace keeps its veth for up to a minute while
    # sockets linger, and the next `lab up` would meet "File exists".
    links = _output(["ip", "-o", "link", "show"]).splitlines()
    names = [line.split(": ")[1].split("@")[0] for line in links if ": " in line]
    for name in names:
        if name.startswith(f"{PREFIX}p") or name == BRIDGE:
            subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
    for line in _output(["ip", "netns", "list"]).splitlines():
        space = line.split()[0]
        if space.startswith(f"{PREFIX}-"):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def leftovers() -> list[str]:
    """Name what of the lab is still in the kernel."""
    found = [
        line.split(": ")[1].split("@")[0]
        for line in _output(["ip", "-o", "link", "show"]).splitlines()
        if f" {PREFIX}" in line
    ]
    found += [
        line.split()[0]
        for line in _output(["ip", "netns", "list"]).splitlines()
        if line.startswith(PREFIX)
    ]
    return found


def route_taken(lan: Lan) -> str | None:
    """Return the interface that already leads to the lab's network, if there is one."""
    for line in _output(["ip", "-4", "-o", "route", "show"]).splitlines():
        words = line.split()
        if words[0] == str(lan.network) and "dev" in words:
            return words[words.index("dev") + 1]
    return None


def _batch(lines: list[str], space: str | None = None) -> None:
    argv = ["ip", *(["-n", space] if space else []), "-batch", "-"]
    done = subprocess.run(
        argv, input="\n".join(lines) + "\n", text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise NetworkError(f"`ip` refused: {done.stderr.strip()}")


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, text=True, capture_output=True, check=False).stdout

"""The LAN itself: one bridge, and one network namespace per machine, made in one `ip` process.

A second bridge is the network of a laptop that is away. The control server has a cable to both
and forwards nothing, so it is all that can be reached from there.
"""

from __future__ import annotations

import subprocess

from lab.inventory import Lan

PREFIX = "closetlab"
"""Everything the lab makes in the kernel carries this name, so that it finds (and removes) only
its own things on a machine that others use too."""

BRIDGE, AWAY_BRIDGE = f"{PREFIX}0", f"{PREFIX}1"


class NetworkError(RuntimeError):
    """The kernel refused; the text carries what `ip` said."""


def namespace(name: str) -> str:
    """Return the network namespace's name for the machine `name`."""
    return f"{PREFIX}-{name}"


def build(lan: Lan) -> None:
    """Make the bridge and a cabled namespace per machine, the hub included."""
    _batch(
        [
            f"link add {BRIDGE} type bridge forward_delay 0",
            f"addr add {lan.controller}/{lan.network.prefixlen} dev {BRIDGE}",
            f"link set {BRIDGE} up",
            *(line for name in lan.names for line in _cable(lan, name, away=False)),
            *_second_cable(lan),
        ]
    )
    for name in lan.names:
        _batch(_configure(lan, name, away=False), namespace(name))
    if lan.control is not None:
        _forward_nothing("control")


def unplug(lan: Lan, name: str) -> None:
    """Pull a machine's cable, so that not even a farewell of its sockets gets out."""
    subprocess.run(["ip", "link", "del", _port(lan, name)], check=False, capture_output=True)


def plug(lan: Lan, name: str, *, away: bool) -> None:
    """Give a machine that was unplugged a network stack without a memory, and its cable."""
    subprocess.run(["ip", "netns", "del", namespace(name)], check=False, capture_output=True)
    _batch(_cable(lan, name, away=away))
    _batch(_configure(lan, name, away=away), namespace(name))


def move(lan: Lan, name: str, *, away: bool) -> None:
    """Carry a running Mac to the other network, or home: same interface, another address."""
    _batch([f"link set {_port(lan, name)} master {AWAY_BRIDGE if away else BRIDGE}"])
    _batch(["addr flush dev en0", *_addressed(lan, name, away=away)], namespace(name))


def remove() -> None:
    """Take down every interface and namespace that carries the lab's name; never fails."""
    # Interfaces first and by name: a deleted namespace keeps its veth for up to a minute while
    # sockets linger, and the next `lab up` would meet "File exists".
    links = _output(["ip", "-o", "link", "show"]).splitlines()
    names = [line.split(": ")[1].split("@")[0] for line in links if ": " in line]
    for name in names:
        if name.startswith(f"{PREFIX}p") or name in (BRIDGE, AWAY_BRIDGE):
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


def _port(lan: Lan, name: str) -> str:
    return f"{PREFIX}p{list(lan.names).index(name)}"


def _cable(lan: Lan, name: str, *, away: bool) -> list[str]:
    space, veth = namespace(name), _port(lan, name)
    return [
        f"netns add {space}",
        f"link add {veth} type veth peer name en0 netns {space}",
        f"link set {veth} master {AWAY_BRIDGE if away else BRIDGE} up",
    ]


def _second_cable(lan: Lan) -> list[str]:
    """The other network, with the control server in it."""
    if lan.control is None:
        return []
    space, veth = namespace("control"), f"{PREFIX}p-away"
    return [
        f"link add {AWAY_BRIDGE} type bridge forward_delay 0",
        f"link set {AWAY_BRIDGE} up",
        f"link add {veth} type veth peer name en1 netns {space}",
        f"link set {veth} master {AWAY_BRIDGE} up",
    ]


def _configure(lan: Lan, name: str, *, away: bool) -> list[str]:
    # a machine keeps its address on the wire over a power cut; neighbours remember it
    wire = ":".join(f"{byte:02x}" for byte in (2, 0, *map(int, lan.names[name].split("."))))
    lines = [f"link set en0 address {wire}", "link set lo up", "link set en0 up"]
    if name == "control" and lan.away is not None:
        return [
            *lines,
            f"addr add {lan.control}/{lan.network.prefixlen} dev en0",
            f"addr add {lan.away_gateway}/{lan.away.prefixlen} dev en1",
            "link set en1 up",
        ]
    return [*lines, *_addressed(lan, name, away=away)]


def _addressed(lan: Lan, name: str, *, away: bool) -> list[str]:
    """Address and routes of a machine with one interface."""
    if away and lan.away is not None:
        return [
            f"addr add {lan.away_address(name)}/{lan.away.prefixlen} dev en0",
            f"route add default via {lan.away_gateway}",
        ]
    lines = [
        f"addr add {lan.names[name]}/{lan.network.prefixlen} dev en0",
        f"route add default via {lan.controller}",
    ]
    # what is meant for the other network ends at the control server, not outside of this machine
    return lines if lan.away is None else [*lines, f"route add {lan.away} via {lan.control}"]


def _forward_nothing(name: str) -> None:
    """A new namespace may inherit this machine's own choice to be a router."""
    write = "echo 0 >/proc/sys/net/ipv4/ip_forward"
    argv = ["ip", "netns", "exec", namespace(name), "sh", "-c", write]
    subprocess.run(argv, check=True, capture_output=True)


def _batch(lines: list[str], space: str | None = None) -> None:
    argv = ["ip", *(["-n", space] if space else []), "-batch", "-"]
    done = subprocess.run(
        argv, input="\n".join(lines) + "\n", text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise NetworkError(f"`ip` refused: {done.stderr.strip()}")


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, text=True, capture_output=True, check=False).stdout

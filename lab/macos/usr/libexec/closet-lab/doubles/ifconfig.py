"""ifconfig(8), reading only: the format of recent macOS captures."""

from __future__ import annotations

import sys

import mac

from doubles.network import Interface, broadcast, interfaces, netmask


def main(arguments: list[str]) -> int:
    """Print all interfaces (none or -a), their names (-l), or the one that is named."""
    found = interfaces()
    words = [word for word in arguments if word not in ("-a", "inet", "inet6")]
    if words == ["-l"]:
        print(" ".join(one.name for one in found))
        return 0
    if len(words) > 1 or (words and words[0].startswith("-")):
        mac.fail("the lab only knows -a, -l and the name of an interface")
    chosen = [one for one in found if not words or one.name == words[0]]
    if not chosen:
        mac.fail(f"interface {words[0]} does not exist")
    sys.stdout.write("".join(_text(one, index) for index, one in enumerate(chosen, start=1)))
    return 0


def _text(one: Interface, index: int) -> str:
    lines = [_head(one)]
    if one.loopback:
        lines.append("options=1203<RXCSUM,TXCSUM,TXSTATUS,SW_TIMESTAMP>")
    if one.ether:
        lines.append(f"ether {one.ether}")
    for cidr in one.ipv4:
        tail = "" if one.loopback else f" broadcast {broadcast(cidr)}"
        lines.append(f"inet {cidr.partition('/')[0]} netmask {netmask(cidr)}{tail}")
    for cidr in one.ipv6:
        address, _, prefix = cidr.partition("/")
        scoped = f"{address}%{one.name}" if address.startswith("fe80:") else address
        scope = f" scopeid 0x{index:x}" if address.startswith("fe80:") else ""
        lines.append(f"inet6 {scoped} prefixlen {prefix}{scope}")
    lines.append("nd6 options=201<PERFORMNUD,DAD>")
    if one.ether:
        lines.append("media: autoselect")
        lines.append(f"status: {'active' if one.up and one.carrier else 'inactive'}")
    return "\n\t".join(lines) + "\n"


def _head(one: Interface) -> str:
    if one.loopback:
        return f"{one.name}: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384"
    if one.ether is None:
        return f"{one.name}: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu {one.mtu}"
    if not one.up:
        return f"{one.name}: flags=8822<BROADCAST,SMART,SIMPLEX,MULTICAST> mtu {one.mtu}"
    return f"{one.name}: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu {one.mtu}"

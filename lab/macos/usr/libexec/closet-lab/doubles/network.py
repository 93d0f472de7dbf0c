"""What the doubles of ifconfig and route say about the network: the kernel's truth, renamed.

Without a readable kernel (unit tests) the Mac's description stands in for it.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from dataclasses import dataclass
from typing import Any

import mac

_MAC_NAMES = {"lo": "lo0", "eth0": "en0", "tailscale0": "utun4"}


@dataclass(frozen=True)
class Interface:
    """One interface under its Mac name. ipv4 and ipv6 are "address/prefix"."""

    name: str
    up: bool
    carrier: bool
    mtu: int
    ether: str | None
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]

    @property
    def loopback(self) -> bool:
        """Say whether it is lo0."""
        return self.name == "lo0"


def interfaces() -> list[Interface]:
    """Return all interfaces, lo0 first."""
    found = _ip("addr", "show")
    if found is None:
        return _described()
    # a fresh network namespace also has tunnels (sit0, tunl0 …) that no Mac has ever shown
    listed = [_interface(entry) for entry in found if _is_macs(str(entry["ifname"]))]
    return sorted(listed, key=lambda one: (not one.loopback, one.name))


def default_route() -> tuple[str, str] | None:
    """Return gateway and interface of the IPv4 default route, or None."""
    found = _ip("-4", "route", "show", "default")
    if found is None:
        return mac.env()["GATEWAY"], "en0"
    for entry in found:
        if "gateway" in entry:
            return str(entry["gateway"]), _mac_name(str(entry["dev"]))
    return None


def netmask(cidr: str) -> str:
    """Return the netmask of "address/prefix" as ifconfig prints it, like 0xffffff00."""
    return f"0x{int(ipaddress.IPv4Interface(cidr).netmask):08x}"


def broadcast(cidr: str) -> str:
    """Return the broadcast address of "address/prefix"."""
    return str(ipaddress.IPv4Interface(cidr).network.broadcast_address)


def _ip(*words: str) -> list[dict[str, Any]] | None:
    if mac.ROOT:
        return None
    try:
        done = subprocess.run(
            ["/sbin/ip", "-json", *words], capture_output=True, timeout=5, check=True
        )
        entries = json.loads(done.stdout or b"[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return entries if isinstance(entries, list) else None


def _is_macs(name: str) -> bool:
    return _mac_name(name).rstrip("0123456789") in ("lo", "en", "utun")


def _mac_name(name: str) -> str:
    return _MAC_NAMES.get(name, name)


def _interface(entry: dict[str, Any]) -> Interface:
    addresses = entry.get("addr_info", [])
    flags = entry.get("flags", [])
    return Interface(
        name=_mac_name(str(entry["ifname"])),
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        mtu=int(entry.get("mtu", 1500)),
        ether=str(entry["address"]) if entry.get("link_type") == "ether" else None,
        ipv4=_of_family(addresses, "inet"),
        ipv6=_of_family(addresses, "inet6"),
    )


def _of_family(addresses: list[dict[str, Any]], family: str) -> tuple[str, ...]:
    return tuple(
        f"{one['local']}/{one['prefixlen']}" for one in addresses if one["family"] == family
    )


def _described() -> list[Interface]:
    facts = mac.env()
    octets = [int(part) for part in facts["ADDRESS"].split(".")]
    ether = "02:00:" + ":".join(f"{octet:02x}" for octet in octets)
    address = f"{facts['ADDRESS']}/{facts['PREFIX']}"
    return [
        Interface("lo0", True, True, 16384, None, ("127.0.0.1/8",), ("::1/128",)),
        Interface("en0", True, True, 1500, ether, (address,), ()),
    ]

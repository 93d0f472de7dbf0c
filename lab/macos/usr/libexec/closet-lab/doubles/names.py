"""dscacheutil(1): host look-ups through the resolver, which is what the Mac's answer is."""

from __future__ import annotations

import socket

import mac


def main(arguments: list[str]) -> int:
    """Answer `-q host -a name NAME` (nothing found is silence and 0) and -flushcache."""
    if arguments == ["-flushcache"]:
        return 0
    if len(arguments) != 5 or arguments[:4] != ["-q", "host", "-a", "name"]:
        mac.fail("the lab only knows: dscacheutil -q host -a name NAME, and -flushcache")
    name = arguments[4]
    for family, label in ((socket.AF_INET6, "ipv6_address"), (socket.AF_INET, "ip_address")):
        found = _addresses(name, family)
        if found:
            print(f"name: {name}")
            for address in found:
                print(f"{label}: {address}")
            print()
    return 0


def _addresses(name: str, family: socket.AddressFamily) -> list[str]:
    try:
        entries = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))

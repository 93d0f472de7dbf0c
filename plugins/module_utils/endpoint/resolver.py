# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a name leads on this machine, asked as every program asks: of the system's resolver.

`dig` and `tailscale ping` go past it (on a Mac past /etc/resolver too) and prove nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class WrongNameError(Exception):
    """The name is not known here, or leads elsewhere; the text says which."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as values; raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def proven(host: str, allowed: Iterable[Network]) -> str:
    """The addresses that `host` leads to, all of them allowed; raises WrongNameError."""
    within = tuple(allowed)
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        words = f"the resolver of this machine does not know {host}: {error.strerror or error}"
        raise WrongNameError(words) from error
    found = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in entries))
    for address in found:
        if not any(address in network for network in within):
            there = ", ".join(
                str(network).removesuffix("/32").removesuffix("/128") for network in within
            )
            raise WrongNameError(f"{host} leads to {address} here, and should lead to {there}")
    return ", ".join(map(str, found))

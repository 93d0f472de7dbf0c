# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests use a proxy, from the option, the environment or the system's settings.

httpx reads NO_PROXY itself, but fails at its start if that contains `fd00::/8`, and treats networks
in CIDR notation, which curl and Go support, as names. This module reads it as curl does.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError

LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
ENTRY = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")
PORTS = {"http": 80, "https": 443}
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Spared:
    """One entry of NO_PROXY: a name with its subdomains, or a network; for one port or for all."""

    host: str | Network
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        if not isinstance(self.host, str):
            address = _network(host)
            return address is not None and address.network_address in self.host
        return self.host in {"*", host} or host.endswith(f".{self.host}")


@dataclass(frozen=True)
class Proxies:
    """Proxies by scheme (`all` for the others), and the addresses that bypass them."""

    by_scheme: Mapping[str, str]
    spared: tuple[Spared, ...] | None = None
    unreadable: tuple[str, ...] = ()

    def proxy_for(self, url: str) -> str | None:
        """The proxy for an address, or None for a direct connection."""
        parts = urlsplit(url)
        proxy = self.by_scheme.get(parts.scheme) or self.by_scheme.get("all")
        if proxy is None or self._is_spared(parts.hostname or "", parts.port, parts.scheme):
            return None
        return proxy

    def _is_spared(self, host: str, port: int | None, scheme: str) -> bool:
        if self.spared is None:  # the settings of macOS have their own exceptions
            return bool(urllib.request.proxy_bypass(host))
        host = host.rstrip(".").lower()
        number = port or PORTS.get(scheme, 0)
        return any(entry.covers(host, number) for entry in self.spared)


def environment_proxies() -> Proxies:
    """The proxies of the environment, else of the system's settings."""
    return read_proxies(urllib.request.getproxies())


def read_proxies(found: Mapping[str, str]) -> Proxies:
    """From urllib's result: proxies by scheme, and `no` for NO_PROXY."""
    by_scheme = {
        scheme: proxy if "://" in proxy else f"http://{proxy}"
        for scheme, proxy in found.items()
        if scheme in {"http", "https", "all"} and proxy
    }
    if "no" not in found:
        return Proxies(by_scheme)
    words = re.split(r"[,\s]+", found["no"].strip())
    entries = {word: read_spared(word) for word in words if word}
    return Proxies(
        by_scheme,
        tuple(entry for entry in entries.values() if entry is not None),
        tuple(word for word, entry in entries.items() if entry is None),
    )


def read_spared(word: str) -> Spared | None:
    """One entry of NO_PROXY; None if it is invalid."""
    if word == "*":
        return Spared("*")
    network = _network(word)
    if network is not None:
        return Spared(network)
    match = ENTRY.fullmatch(word)
    if match is None or int(match["port"] or 0) > 65535:
        return None
    port = int(match["port"]) if match["port"] else None
    network = _network(match["v6"] or match["host"])
    if network is not None:
        return Spared(network, port)
    name = (match["host"] or "").lower().removeprefix("*").strip(".")
    return Spared(name, port) if NAME.fullmatch(name) and "/" not in name else None


def check_proxy(proxy: str) -> None:
    """Refuse an address that no client accepts. The sentence contains no password."""
    parts = urlsplit(proxy)
    try:
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if "://" not in proxy:
        shown = f" http://{proxy}" if NAME.fullmatch(proxy.partition(":")[0].lower()) else ""
        shown = "" if "@" in proxy else shown
        raise ModelError(
            f"proxy (models_proxy) has no scheme: write it as{shown or ' http://host:port'}."
        )
    if parts.scheme not in PROXY_SCHEMES or not usable:
        raise ModelError(
            "proxy (models_proxy) is not the address of a proxy. Its form is http://host:port, "
            f"with a port from 1 to 65535 and one of the schemes {', '.join(PROXY_SCHEMES)}."
        )


def describe_unreadable(proxies: Proxies) -> str | None:
    """A warning about invalid entries; None if no proxy would be used in any case."""
    if not proxies.by_scheme or not proxies.unreadable:
        return None
    return (
        f"NO_PROXY of this host has invalid entries: {', '.join(proxies.unreadable)}. They were "
        "ignored, so requests to those addresses use the proxy. An entry is a name, an address, or "
        "a network such as 10.0.0.0/8."
    )


def _network(text: str) -> Network | None:
    """An address or a network; host bits are allowed, as in curl."""
    try:
        return ipaddress.ip_network(text.partition("%")[0], strict=False)
    except ValueError:
        return None

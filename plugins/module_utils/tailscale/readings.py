# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command prints as JSON, read into facts. Pure; written against tailscale 1.104.

`status --json` is ipn/ipnstate.Status, `debug prefs` is ipn.Prefs, `serve status --json` is
ipn.ServeConfig. A key that is not there is a value that is empty, as Go leaves it out.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    Entry,
    Have,
    NodeError,
)

# The tailnet's own ranges: CGNAT space, and Tailscale's ULA (net/tsaddr).
TAILNET = tuple(ipaddress.ip_network(net) for net in ("100.64.0.0/10", "fd7a:115c:a1e0::/48"))


def read_json(text: str, of: str) -> dict[str, Any]:
    """An answer as a mapping; raises NodeError when it is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if found is None and text.strip() != "null":
        shown = " ".join(text.split())[:200]
        raise NodeError(
            f"`{of}` printed no JSON ({shown}), so nothing was changed. Run it on the host and look"
        )
    return found if isinstance(found, dict) else {}


def read_status(status: Mapping[str, Any], prefs: Mapping[str, Any]) -> Have:
    """The node, from `status --json` and `debug prefs`."""
    own = status.get("Self") or {}
    addresses = sorted(status.get("TailscaleIPs") or (), key=lambda address: ":" in address)
    return Have(
        state=str(status.get("BackendState") or "NoState"),
        has_key=bool(status.get("HaveNodeKey")),
        prefs=prefs,
        addresses=tuple(addresses),
        dns_name=str(own.get("DNSName") or "").rstrip("."),
        tags=tuple(sorted(own.get("Tags") or ())),
        key_expiry=str(own.get("KeyExpiry") or ""),
        expired=bool(own.get("Expired")),
        unseen=status.get("BackendState") == "Running" and own.get("Online") is False,
        health=tuple(str(line) for line in status.get("Health") or ()),
        certificates=tuple(status.get("CertDomains") or ()),
        version=str(status.get("Version") or ""),
    )


def read_served(config: Mapping[str, Any]) -> tuple[Entry, ...]:
    """What a node serves in its own name, from `serve status --json`, by port."""
    public = {name for name, allowed in (config.get("AllowFunnel") or {}).items() if allowed}
    open_ports = {_port(name) for name in public}
    found: list[Entry] = []
    for name, handler in (config.get("TCP") or {}).items():
        port = int(name)
        if handler.get("TCPForward"):
            kind = "tls-terminated-tcp" if handler.get("TerminateTLS") else "tcp"
            version = handler.get("ProxyProtocol")
            kind += f"+proxy-protocol-{version}" if version else ""
            found.append(Entry(port, handler["TCPForward"], kind, funnel=port in open_ports))
        else:
            kind = "https" if handler.get("HTTPS") else "http"
            found += _pages(config.get("Web") or {}, port, kind, public)
    return tuple(sorted(found, key=lambda entry: (entry.port, entry.host, entry.path)))


def is_in_tailnet(address: str) -> bool:
    """Whether an address is one that only a tailnet has."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    return any(parsed in net for net in TAILNET)


def _pages(web: Mapping[str, Any], port: int, kind: str, public: set[str]) -> Iterator[Entry]:
    for name, server in web.items():
        if _port(name) != port:
            continue
        for path, handler in (server.get("Handlers") or {}).items():
            to = str(handler.get("Proxy") or "")
            plain = to.startswith("http://") and set(handler) == {"Proxy"}
            told = to[len("http://") :] if plain else json.dumps(handler, sort_keys=True)
            yield Entry(port, told, kind, name.rpartition(":")[0], path, name in public)


def _port(name: str) -> int:
    tail = name.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0

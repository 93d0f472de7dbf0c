# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node of a tailnet: its wanted state, its present state, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TAILSCALE_SERVER = "https://controlplane.tailscale.com"
# the same server by its older name (IsLoginServerSynonym in ipn/prefs.go)
TAILSCALE_NAMES = (TAILSCALE_SERVER, "https://login.tailscale.com")

# Our words for preferences, the daemon's names for them, and the flags that set them.
PREFERENCES: Mapping[str, tuple[str, str]] = {
    "hostname": ("Hostname", "hostname"),
    "accept_dns": ("CorpDNS", "accept-dns"),
    "accept_routes": ("RouteAll", "accept-routes"),
    "ssh": ("RunSSH", "ssh"),
    "shields_up": ("ShieldsUp", "shields-up"),
}


class NodeError(RuntimeError):
    """Something was refused or failed; the text says what was tried and what to run next."""


@dataclass(frozen=True)
class Entry:
    """One thing that is served to the tailnet: a port, and where its connections go."""

    port: int
    to: str
    protocol: str = "tcp"  # tcp | http | https; others' may be anything
    host: str = ""  # the node's name, for http and https
    path: str = "/"
    funnel: bool = False  # open to the whole internet

    @property
    def words(self) -> str:
        """As a line for results and diffs."""
        path = f" {self.path}" if self.path != "/" else ""
        public = " (open to the internet)" if self.funnel else ""
        return f"{self.protocol} {self.port}{path} -> {self.to}{public}"


@dataclass(frozen=True)
class Want:
    """The wanted state, without the key itself, so that nothing can print it."""

    present: bool = True
    app: bool = False
    server: str = TAILSCALE_SERVER
    key: str = ""  # what kind of key there is: "" | auth | client
    tags: tuple[str, ...] = ()
    prefs: Mapping[str, Any] = field(default_factory=dict)
    """By our words; what is not in it is left alone."""
    serve: tuple[Entry, ...] | None = None
    change_tailnet: bool = False
    reauthenticate: bool = False
    reached_at: str = ""
    may_cut: bool = False


@dataclass(frozen=True)
class Have:
    """What holds. `state` is the daemon's own word; "" when it does not answer."""

    state: str = ""
    has_key: bool = False
    """Whether it has the key of a node, of one that is expired or was removed as well."""
    prefs: Mapping[str, Any] = field(default_factory=dict)
    """By the daemon's names."""
    addresses: tuple[str, ...] = ()
    dns_name: str = ""
    tags: tuple[str, ...] = ()
    key_expiry: str = ""
    expired: bool = False
    unseen: bool = False
    """It runs, and its control server does not see it: that is down, or has removed the node."""
    health: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    """Names that the control server offers certificates for."""
    served: tuple[Entry, ...] = ()
    ours: frozenset[int] = frozenset()
    """Ports whose entries this module made."""
    version: str = ""

    @property
    def server(self) -> str:
        """The control server that it is logged in to; "" when it never was."""
        return str(self.prefs.get("ControlURL") or "")


@dataclass(frozen=True)
class Step:
    """One command; `kind` is login, reauthenticate, logout, start, set, serve or unserve."""

    kind: str
    says: str
    pref: str = ""
    value: Any = None
    entry: Entry | None = None
    renews: bool = False  # there is the key of a node that the control server takes no more


@dataclass(frozen=True)
class Plan:
    """What to do, and what is left for a person."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    person: str = ""


def same_server(one: str, other: str) -> bool:
    """Whether two addresses name one control server."""
    first, second = one.rstrip("/"), other.rstrip("/")
    return first == second or (first in TAILSCALE_NAMES and second in TAILSCALE_NAMES)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a tailnet: their names and tags, and how a laptop reaches its closet.

Pure: the options of the inventory in, nodes and errors out. docs/tailnet.md explains the options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

# The options of the inventory; a host without DOMAIN is outside the tailnet.
DOMAIN = "closet_tailnet"
SERVER = "closet_tailnet_server"
NAME = "closet_tailnet_name"
TAGS = "closet_tailnet_tags"
KEY = "closet_tailnet_key"
OWNERS = "closet_tailnet_owners"
POLICY = "closet_tailnet_policy"
REACH = "closet_reach"
# the role's: with the app a person logs in, at the screen
VARIANT = "tailscale_variant"
OPTIONS = (DOMAIN, SERVER, NAME, TAGS, KEY, OWNERS, POLICY, REACH, VARIANT)
REACHES = ("tailnet", "lan", "both")
DEFAULT_TAGS = {"closet": ("tag:closet",), "clients": ("tag:closet-client",)}

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"tag:[a-zA-Z][a-zA-Z0-9-]*")


@dataclass(frozen=True)
class Node:
    """One host of the inventory in its tailnet; `server` is empty for Tailscale's own.

    The first of its tags is the one that the policy speaks of.
    """

    host: str
    group: str
    name: str
    domain: str
    server: str
    tags: tuple[str, ...]

    @property
    def fqdn(self) -> str:
        """Its name in MagicDNS, the same everywhere."""
        return f"{self.name}.{self.domain}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for playbooks."""
        return {**asdict(self), "tags": list(self.tags), "fqdn": self.fqdn}


def read(host: str, group: str, said: Mapping[str, Any]) -> tuple[Node | None, list[str]]:
    """The machine that the variables of a host describe, and what is wrong with them."""
    domain = str(said.get(DOMAIN) or "")
    if not domain:
        return None, []
    server = str(said.get(SERVER) or "").rstrip("/")
    name = str(said.get(NAME) or _default_name(host))
    tags = said.get(TAGS) or DEFAULT_TAGS[group]
    found = [
        *_domain_errors(host, domain),
        *_server_errors(host, server),
        *_name_errors(host, name),
        *_tag_errors(host, tags),
    ]
    if found:
        return None, found
    return Node(host, group, name, domain, server, tuple(str(tag) for tag in tags)), []


def together(nodes: Iterable[Node]) -> list[str]:
    """An error for each two machines that cannot be in one tailnet as they are.

    That is two tailnets, two machines with one name, one tag for closets and laptops.
    """
    found = []
    first: Node | None = None
    owner: dict[str, Node] = {}
    holder: dict[str, Node] = {}
    for node in nodes:
        first = first or node
        if (node.domain, node.server) != (first.domain, first.server):
            found.append(
                f"{first.host} is in the tailnet {first.domain}{_at(first)} and {node.host} in "
                f"{node.domain}{_at(node)}, so neither would find the other: an inventory has one "
                f"{DOMAIN} and one {SERVER}"
            )
        other = owner.setdefault(node.fqdn, node)
        if other is not node:
            found.append(
                f"{node.host} and {other.host} would both be {node.fqdn} in the tailnet: give one "
                f"of them another name with {NAME}"
            )
        for tag in node.tags:
            other = holder.setdefault(tag, node)
            if other.group != node.group:
                found.append(
                    f"{node.host} and {other.host} both have {tag}, so what the policy gives the "
                    f"laptops it would give the closet too: give one of them another tag in {TAGS}"
                )
    return found


@dataclass(frozen=True)
class Way:
    """How a laptop gets to its closet: `reach` is tailnet, lan or both; `said` whether so told."""

    laptop: str
    closet: str
    reach: str
    said: bool

    @property
    def by_tailnet(self) -> bool:
        """Whether its one URL has the closet's name in the tailnet."""
        return self.reach != "lan"


def way(
    laptop: str, closet: str, said: Mapping[str, Any], node: Node | None
) -> tuple[Way | None, list[str]]:
    """The way of one laptop: as told, or through the tailnet that it is in, or else the LAN."""
    wanted = str(said.get(REACH) or "")
    if wanted and wanted not in REACHES:
        return None, [f"{laptop}: {REACH} is '{wanted}', it can be {', '.join(REACHES)}"]
    return Way(laptop, closet, wanted or ("tailnet" if node else "lan"), bool(wanted)), []


def way_errors(way: Way, nodes: Mapping[str, Node], exposure: str) -> list[str]:
    """An error for each reason why a laptop would get no answer; `exposure` of its closet."""
    laptop, closet = way.laptop, way.closet
    found = []
    if way.by_tailnet:
        found += [
            f"{laptop}: {REACH} is {way.reach}, and {host} is in no tailnet: set {DOMAIN} for it "
            f"to the tailnet's DNS name, or {REACH}: lan for {laptop}"
            for host in (laptop, closet)
            if host not in nodes
        ]
    # an inventory without one learns from the closet's play what its laptops will miss
    if way.reach != "tailnet" and exposure != "lan" and (way.said or nodes):
        found.append(
            f"{laptop}: {REACH} is {way.reach}, and {closet} serves no LAN (closet_exposure is "
            f"{exposure}), so {laptop} would have a URL without an answer: set closet_exposure: "
            f"lan for {closet}, or {REACH}: tailnet for {laptop}"
        )
    return found


def left_over(host: str, found: Iterable[str], node: Mapping[str, Any]) -> list[str]:
    """What to say of a tailscaled of ours on a host that the inventory has in no tailnet."""
    if node or "ours" not in found:
        return []
    return [
        f"{host} still runs the tailscaled of an earlier run, with what it serves there, and the "
        f"inventory has it in no tailnet: tailscale_state: absent takes it out"
    ]


def _at(node: Node) -> str:
    return f" of {node.server}" if node.server else " of Tailscale's own server"


def _default_name(host: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")


def _domain_errors(host: str, domain: str) -> list[str]:
    labels = domain.split(".")
    if len(labels) > 1 and all(map(_LABEL.fullmatch, labels)):
        return []
    return [
        f"{host}: {DOMAIN} is '{domain}', and the tailnet's DNS name is needed, such as "
        "tail1a2b3c.ts.net (the admin console has it under DNS; headscale calls it base_domain)"
    ]


def _server_errors(host: str, server: str) -> list[str]:
    try:
        parts = urlsplit(server)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not server or (whole and not (parts.path or parts.query or parts.username)):
        return []
    return [
        f"{host}: {SERVER} is '{server}', and the address of a control server is needed, such as "
        "https://headscale.example.net (leave it out for Tailscale's own)"
    ]


def _name_errors(host: str, name: str) -> list[str]:
    if _LABEL.fullmatch(name):
        return []
    return [
        f"{host}: its name in the tailnet would be '{name}', which can be none: give it one of the "
        f"letters a-z, digits and - with {NAME}"
    ]


def _tag_errors(host: str, tags: Any) -> list[str]:
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        return [f"{host}: {TAGS} is {tags!r}, and a list is needed, such as [tag:closet]"]
    return [
        f"{host}: {TAGS} has '{tag}', and a tag is tag: and a name of letters, digits and -, such "
        "as tag:closet"
        for tag in tags
        if not _TAG.fullmatch(str(tag))
    ]

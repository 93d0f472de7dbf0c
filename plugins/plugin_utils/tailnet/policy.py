# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tailnet's policy file: laptops reach their closet's port, and nothing else; pure.

Grants, tag owners and tests, which Tailscale and headscale (0.29 and later) both take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.nodes import POLICY, Node

FILE = "tailnet-policy.hujson"
# The first line of what we write, which the control server keeps: by it we know our own again.
MARK = "// Managed by closet.inference: playbooks/tailnet.yml writes it from the inventory.\n"
# What Tailscale gives who runs the tailnet; headscale knows no such group, and needs no owner for
# the tags that an auth key carries.
ADMINS = ("autogroup:admin",)
# ssh, screen sharing, and the share of the models: what must not be open beside the closet's port
NEVER = (22, 5900, 8001)
SECTIONS = (
    *("acls", "grants", "tests", "ssh", "sshTests", "groups", "hosts", "ipsets", "postures"),
    *("tagOwners", "autoApprovers", "nodeAttrs", "attrConfig", "derpMap"),
    *("disableIPv4", "OneCGNATRoute", "randomizeClientPort"),
)
_TAG = re.compile(r"tag:[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True)
class Door:
    """One grant: the first tags of a closet's laptops, the closet's tag, and its port."""

    sources: tuple[str, ...]
    target: str
    port: int


def doors(ways: Iterable[tuple[Node, Node]], ports: Mapping[str, int]) -> list[Door]:
    """One door for each closet that a laptop reaches; `ways` are pairs of laptop and closet."""
    knockers: dict[tuple[str, int], set[str]] = {}
    for laptop, closet in ways:
        door = (closet.tags[0], ports[closet.host])
        knockers.setdefault(door, set()).add(laptop.tags[0])
    return [
        Door(tuple(sorted(sources)), target, port)
        for (target, port), sources in sorted(knockers.items())
    ]


def policy(
    nodes: Iterable[Node],
    doors: Sequence[Door],
    owners: Sequence[str] | None,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole policy; `owners` are those of our tags, `more` is what the owner adds.

    Lists are put together, ours first; of two entries with one name the owner's counts.
    """
    machines = list(nodes)
    tags = sorted({tag for node in machines for tag in node.tags})
    if owners is None:
        owners = () if any(node.server for node in machines) else ADMINS
    ours: dict[str, Any] = {
        "tagOwners": {tag: list(owners) for tag in tags},
        "grants": [
            {"src": list(door.sources), "dst": [door.target], "ip": [f"tcp:{door.port}"]}
            for door in doors
        ],
        "tests": list(_tests(doors)),
    }
    return {**ours, **{key: _joined(ours.get(key), value) for key, value in more.items()}}


def errors(policy: Mapping[str, Any], more: Any) -> list[str]:
    """An error for each thing in the owner's part that a control server would refuse."""
    if not isinstance(more, Mapping):
        return [f"{POLICY} is {more!r}, and a dictionary is needed, such as {{grants: […]}}"]
    found = [
        f"{POLICY} has '{key}', which no policy file has{suggestion(key, SECTIONS)}"
        for key in more
        if key not in SECTIONS
    ]
    owned = policy.get("tagOwners", {})
    found += [
        f"{POLICY} speaks of {tag}, and it has no owner, so the control server would refuse the "
        "policy: name its owners in tagOwners there"
        for tag in sorted(set(_TAG.findall(json.dumps(dict(policy)))) - set(owned))
    ]
    return found


def text(policy: Mapping[str, Any]) -> str:
    """The file: our mark, then JSON."""
    return MARK + json.dumps(policy, indent=2, ensure_ascii=False) + "\n"


def _tests(doors: Sequence[Door]) -> Iterator[dict[str, Any]]:
    open_at = {(source, door.target, door.port) for door in doors for source in door.sources}
    sources = sorted({source for door in doors for source in door.sources})
    targets = sorted({door.target for door in doors})
    for source in sources:
        accept = [f"{to}:{port}" for (who, to, port) in sorted(open_at) if who == source]
        closed = [
            f"{target}:{port}"
            for target in targets
            for port in NEVER
            if (source, target, port) not in open_at
        ]
        deny = [*closed, *(f"{other}:22" for other in sources)]
        yield {"src": source, "proto": "tcp", "accept": accept, "deny": deny}
    for target in targets:
        yield {"src": target, "proto": "tcp", "deny": [f"{source}:22" for source in sources]}


def _joined(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, list) and isinstance(theirs, list):
        return ours + theirs
    if isinstance(ours, dict) and isinstance(theirs, Mapping):
        return {**ours, **theirs}
    return theirs

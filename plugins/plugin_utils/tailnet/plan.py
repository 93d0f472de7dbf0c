# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tailnet of an inventory; it reads key files and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import keys as auth_keys
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import nodes as tailnet
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import (
    policy as tailnet_policy,
)


@dataclass(frozen=True)
class Inventory:
    """What the plan needs of an inventory.

    Args:
        said: by host, those of the variables of tailnet.py that are set for it.
        groups: `closet` and `clients`, with their hosts.
        closet_of: the closet of each laptop.
        servings: `exposure` and `port` of each closet that has a valid serving configuration.
        secrets: the folder of the keys, beside the inventory.
    """

    said: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Sequence[str]]
    closet_of: Mapping[str, str]
    servings: Mapping[str, tuple[str, int]]
    secrets: Path


@dataclass(frozen=True)
class Plan:
    """Machines by host, the way of each laptop, the policy's text ('' without a tailnet)."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    reach: dict[str, str] = field(default_factory=dict)
    policy: str = ""


def plan(inventory: Inventory) -> tuple[Plan, list[str]]:
    """Work out the tailnet, and every reason why it could not be as the inventory says."""
    nodes: dict[str, tailnet.Node] = {}
    errors: list[str] = []
    for group, hosts in inventory.groups.items():
        for host in hosts:
            node, wrong = tailnet.read(host, group, inventory.said[host])
            errors += wrong
            if node:
                nodes[host] = node
    if errors:
        return Plan(), errors  # what follows from them would only be said twice
    errors += tailnet.together(nodes.values())
    ways, wrong = _ways(inventory, nodes)
    described, more = _described(inventory, nodes)
    policy, still_more = _policy(inventory, nodes, ways)
    reach = {way.laptop: way.reach for way in ways}
    return Plan(described, reach, policy), [*errors, *wrong, *more, *still_more]


def _ways(
    inventory: Inventory, nodes: Mapping[str, tailnet.Node]
) -> tuple[list[tailnet.Way], list[str]]:
    ways, errors = [], []
    for laptop, closet in inventory.closet_of.items():
        way, wrong = tailnet.way(laptop, closet, inventory.said[laptop], nodes.get(laptop))
        errors += wrong
        if way and closet in inventory.servings:
            errors += tailnet.way_errors(way, nodes, inventory.servings[closet][0])
            ways.append(way)
    return ways, errors


def _described(
    inventory: Inventory, nodes: Mapping[str, tailnet.Node]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    described, errors = {}, []
    for host, node in nodes.items():
        key, wrong = auth_keys.find(node, inventory.said[host], inventory.secrets)
        errors += wrong
        described[host] = {
            **node.as_dict(),
            "key": key.place,
            "key_file": key.file,
            # with the app only a person can log in
            "needs_key": inventory.said[host].get(tailnet.VARIANT) != "app",
            "no_key": auth_keys.missing(node, str(inventory.secrets)),
        }
    # one file is the key of many machines
    return described, list(dict.fromkeys(errors))


def _policy(
    inventory: Inventory, nodes: Mapping[str, tailnet.Node], ways: Sequence[tailnet.Way]
) -> tuple[str, list[str]]:
    closet = next((host for host in inventory.groups["closet"] if host in nodes), None)
    if closet is None:
        return "", []
    said = inventory.said[closet]
    pairs = [
        (nodes[way.laptop], nodes[way.closet])
        for way in ways
        if way.by_tailnet and way.laptop in nodes and way.closet in nodes
    ]
    ports = {host: port for host, (_exposure, port) in inventory.servings.items()}
    doors = tailnet_policy.doors(pairs, ports)
    more = said.get(tailnet.POLICY) or {}
    whole = tailnet_policy.policy(
        nodes.values(), doors, said.get(tailnet.OWNERS), more if isinstance(more, dict) else {}
    )
    return tailnet_policy.text(whole), tailnet_policy.errors(whole, more)

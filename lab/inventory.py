"""Which Macs the lab has: read from an Ansible inventory, the only place that knows them.

A lab host is any host of the inventory with a `lab_mac` dictionary; the LAN is described by
the variables `lab_network` and `lab_hub` of the group `all`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.hardware import describe


class InventoryError(ValueError):
    """The inventory does not describe a lab; the text says what to change and where."""


@dataclass(frozen=True)
class Mac:
    """One simulated Mac: its name, its address and everything hardware.describe() knows."""

    name: str
    address: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Lan:
    """The lab's network and the machines on it."""

    network: ipaddress.IPv4Network
    controller: str
    hub: str
    macs: tuple[Mac, ...]

    @property
    def names(self) -> dict[str, str]:
        """Address by name, for every host file on the LAN."""
        return {"hub": self.hub, **{mac.name: mac.address for mac in self.macs}}


def read(folder: Path) -> Lan:
    """Read the lab's LAN from `folder`/hosts.yml.

    Raises:
        InventoryError: a missing file or variable, an address outside the network, a name or
            an address given twice, hardware that nobody knows.
    """
    path = folder / "hosts.yml"
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as err:
        raise InventoryError(f"{path}: cannot be read: {err.strerror}") from err
    except yaml.YAMLError as err:
        raise InventoryError(f"{path}: is not valid YAML: {err}") from err
    tree = document.get("all", {}) if isinstance(document, dict) else {}
    variables = tree.get("vars") or {}
    try:
        network = ipaddress.IPv4Network(variables["lab_network"])
        hub = str(ipaddress.IPv4Address(variables["lab_hub"]))
    except KeyError as err:
        raise InventoryError(f"{path}: all.vars needs {err} (see inventories/lab)") from err
    except ValueError as err:
        raise InventoryError(f"{path}: {err}") from err
    controller = str(next(network.hosts()))
    macs = tuple(_macs(path, tree, network, controller))
    if not macs:
        raise InventoryError(f"{path}: no host has a lab_mac, so there is no Mac to simulate")
    lan = Lan(network=network, controller=controller, hub=hub, macs=macs)
    _check_unique(path, lan)
    return lan


def _macs(
    path: Path, tree: Mapping[str, Any], network: ipaddress.IPv4Network, gateway: str
) -> Iterator[Mac]:
    for name, variables in _hosts(tree):
        lab_mac = variables.get("lab_mac")
        if lab_mac is None:
            continue
        address = str(variables.get("ansible_host", ""))
        try:
            inside = ipaddress.IPv4Address(address) in network
        except ValueError:
            inside = False
        if not inside:
            raise InventoryError(
                f"{path}: {name} needs an ansible_host inside {network}, not '{address}'"
            )
        try:
            facts = describe(
                name=name,
                address=address,
                prefix=network.prefixlen,
                gateway=gateway,
                user=str(variables.get("ansible_user", "admin")),
                lab_mac=lab_mac,
            )
        except ValueError as err:
            raise InventoryError(f"{path}: {name}: {err}") from err
        yield Mac(name=name, address=address, facts=facts)


def _hosts(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, variables in (tree.get("hosts") or {}).items():
        yield str(name), variables or {}
    for child in (tree.get("children") or {}).values():
        yield from _hosts(child or {})


def _check_unique(path: Path, lan: Lan) -> None:
    taken: dict[str, str] = {lan.controller: "the controller", lan.hub: "the hub"}
    seen: set[str] = {"hub"}
    for mac in lan.macs:
        if mac.name in seen:
            raise InventoryError(f"{path}: two hosts are called {mac.name}")
        if mac.address in taken:
            raise InventoryError(
                f"{path}: {mac.name} has the address of {taken[mac.address]} ({mac.address})"
            )
        seen.add(mac.name)
        taken[mac.address] = mac.name

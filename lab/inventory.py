"""Which Macs the lab has: read from an Ansible inventory, the only place that knows them.

A lab host is any host of the inventory with a `lab_mac` dictionary; the LAN is described by
the variables `lab_network` and `lab_hub` of the group `all`. With `lab_control` and `lab_away`
there is a control server, and another network from which nothing but that can be reached.
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
    control: str | None = None
    away: ipaddress.IPv4Network | None = None

    @property
    def names(self) -> dict[str, str]:
        """Address by name of everything that has a cable to the LAN."""
        control = {} if self.control is None else {"control": self.control}
        return {"hub": self.hub, **control, **{mac.name: mac.address for mac in self.macs}}

    @property
    def away_gateway(self) -> str:
        """The way out of the other network, which is the control server's own address there."""
        assert self.away is not None
        return str(next(self.away.hosts()))

    def away_address(self, name: str) -> str:
        """A Mac's address in the other network: the same number there."""
        assert self.away is not None
        number = int(ipaddress.IPv4Address(self.names[name])) - int(self.network.network_address)
        return str(self.away.network_address + number)


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
        control, away = _elsewhere(variables, network)
    except KeyError as err:
        raise InventoryError(f"{path}: all.vars needs {err} (see inventories/lab)") from err
    except ValueError as err:
        raise InventoryError(f"{path}: {err}") from err
    controller = str(next(network.hosts()))
    macs = tuple(_macs(path, tree, network, controller))
    if not macs:
        raise InventoryError(f"{path}: no host has a lab_mac, so there is no Mac to simulate")
    lan = Lan(network, controller, hub, macs, control, away)
    _check_unique(path, lan)
    return lan


def _elsewhere(
    variables: Mapping[str, Any], network: ipaddress.IPv4Network
) -> tuple[str | None, ipaddress.IPv4Network | None]:
    """The control server's address and the network of those who are away; both or neither."""
    given = [name for name in ("lab_control", "lab_away") if variables.get(name) is not None]
    if not given:
        return None, None
    if len(given) == 1:
        raise ValueError(f"{given[0]} is alone: lab_control and lab_away need each other")
    control = ipaddress.IPv4Address(variables["lab_control"])
    away = ipaddress.IPv4Network(variables["lab_away"])
    if control not in network:
        raise ValueError(f"lab_control {control} is not inside {network}")
    if away.overlaps(network) or away.prefixlen != network.prefixlen:
        raise ValueError(f"lab_away {away} has to be as large as {network}, and elsewhere")
    return str(control), away


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
    if lan.control in taken:
        raise InventoryError(f"{path}: lab_control is the address of {taken[lan.control]}")
    if lan.control is not None:
        taken[lan.control] = "the control server"
    seen: set[str] = {"hub", "control"}
    for mac in lan.macs:
        if mac.name in seen:
            raise InventoryError(f"{path}: two hosts are called {mac.name}")
        if mac.address in taken:
            raise InventoryError(
                f"{path}: {mac.name} has the address of {taken[mac.address]} ({mac.address})"
            )
        seen.add(mac.name)
        taken[mac.address] = mac.name

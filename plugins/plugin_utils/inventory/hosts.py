# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of an inventory: its closets and clients, and their variables as types.

A value that does not fit its specification is an error once, and its default after that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import values
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.origins import (
    Origins,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.specs import Specs


class Inventory:
    """Its groups, its hosts' variables, and where each of these was set."""

    def __init__(self, variables: Mapping[str, Any], specs: Specs, extra: Collection[str]) -> None:
        self.groups: Mapping[str, list[str]] = variables["groups"]
        self.sources = [
            Path(str(source)) for source in variables.get("ansible_inventory_sources", [])
        ]
        self.specs = specs
        self.options = specs.options
        # the names that this run was given with -e
        self.extra = extra
        self.hostvars = variables["hostvars"]
        folders = [source if source.is_dir() else source.parent for source in self.sources]
        self.raw = {host: self.hostvars.raw_get(host) for host in self.hosts}
        self.origins = {host: Origins(raw, folders, extra) for host, raw in self.raw.items()}
        self._wrong: set[tuple[str, str]] = set()

    @property
    def closets(self) -> list[str]:
        return list(self.groups.get("closet", []))

    @property
    def clients(self) -> list[str]:
        return list(self.groups.get("clients", []))

    @property
    def hosts(self) -> list[str]:
        return [*self.closets, *self.clients]

    @property
    def folders(self) -> list[Path]:
        """The folders of the inventories that our hosts are in."""
        folders = (self.value(host, "inventory_dir", None) for host in self.hosts)
        return [Path(str(folder)) for folder in dict.fromkeys(filter(None, folders))]

    def folder(self, host: str) -> Path:
        """The folder of the inventory that this host is in."""
        return Path(str(self.value(host, "inventory_dir", ".")))

    def url_host(self, host: str) -> Any:
        """The name or address of a closet in the URL that laptops use."""
        return self.value(host, "closet_url_host", self.value(host, "ansible_host", host))

    def value(self, host: str, name: str, default: Any) -> Any:
        """A variable of a host as its type; the default where the value was an error."""
        if (host, name) in self._wrong:
            return default
        value = self.hostvars[host].get(name)
        if value is None:
            return default
        return values.converted(self.options[name], value) if name in self.options else value

    def extra_value(self, name: str) -> Any:
        """A variable that is the same for all hosts, as -e gives it; None where there is none."""
        try:
            return self.hostvars[self.hosts[0]].get(name) if self.hosts else None
        except AnsibleError:
            return None

    def value_errors(self) -> list[str]:
        """Values that no role could take; one error for all hosts that have the same one."""
        hosts_of: dict[tuple[str, str], list[str]] = {}
        for host in self.hosts:
            for name in sorted(set(self.raw[host]) & set(self.options)):
                try:
                    value = self.hostvars[host].get(name)
                except AnsibleError:
                    continue  # made of what only the plays have: the role that takes it checks it
                for error in values.errors(name, self.options[name], value):
                    self._wrong.add((host, name))
                    place = self.origins[host].place(name)
                    hosts_of.setdefault((place, error), []).append(host)
        return [
            f"{place or 'the inventory'} ({'host' if len(hosts) == 1 else 'hosts'} "
            f"{', '.join(hosts)}): {error}"
            for (place, error), hosts in hosts_of.items()
        ]

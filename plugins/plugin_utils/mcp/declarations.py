# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets of MCP servers on the controller, and errors in the declarations of an inventory.

A secret is in `mcp_secrets` of the inventory, encrypted, or in a file beside the inventory that is
for its owner alone: .secrets/mcp/NAME.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion
from ansible_collections.closet.inference.plugins.plugin_utils.mcp.servers import (
    Server,
    read_each,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    SecretFileError,
    read_secret,
)

FOLDER = "mcp"


class SecretRefusedError(ValueError):
    """A secret cannot be used; the message names its place and never its value."""


@dataclass(frozen=True)
class Secrets:
    """What one host's inventory gives (`mcp_secrets`), and the folder beside the inventory."""

    given: Mapping[str, Any]
    folder: Path

    def value(self, name: str) -> str:
        """The secret; raises SecretRefusedError."""
        path = self.folder / FOLDER / name
        if name in self.given:
            value, place = str(self.given[name]), f"mcp_secrets.{name}"
        elif (found := _read(path)) is not None:
            value, place = found, str(path)
        else:
            raise SecretRefusedError(
                f"there is no secret {name}{suggestion(name, self.names())}: put it into {path} "
                "(0600), or encrypted into mcp_secrets of the inventory"
            )
        if not value or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise SecretRefusedError(f"{place} is empty or has more than one line")
        return value

    def names(self) -> list[str]:
        """The secrets that there are."""
        beside = self.folder / FOLDER
        files = [path.name for path in beside.iterdir()] if beside.is_dir() else []
        return sorted({*self.given, *files})


def _read(path: Path) -> str | None:
    try:
        return read_secret(path)
    except FileNotFoundError:
        return None
    except SecretFileError as error:
        raise SecretRefusedError(str(error)) from error


@dataclass(frozen=True)
class Declared:
    """What one host's variables say."""

    servers: Any
    secrets: Secrets
    closet: bool


def errors(inventory: Mapping[str, Declared]) -> list[str]:
    """An error for each mistake, once, however many hosts share it; `inventory` is by host."""
    found: dict[str, None] = {}
    laptops = [name for name, declared in inventory.items() if not declared.closet]
    for host, declared in inventory.items():
        servers, wrong = read_each(declared.servers)
        found.update(dict.fromkeys(wrong))
        found.update(dict.fromkeys(_host_errors(servers, laptops, inventory)))
        found.update(dict.fromkeys(_unresolved(host, servers, declared)))
    return list(found)


def _host_errors(
    servers: Iterable[Server], laptops: list[str], inventory: Mapping[str, Declared]
) -> Iterable[str]:
    for server in servers:
        for name in server.laptops or ():
            if name in laptops:
                continue
            if name in inventory:
                yield (
                    f"mcp_servers.{server.name}: for names {name}, which is a closet: on_closet "
                    "lets the closet itself offer the tools"
                )
            else:
                yield (
                    f"mcp_servers.{server.name}: for names {name}, which is not in the group "
                    f"clients{suggestion(name, laptops)}"
                )


def _unresolved(host: str, servers: Iterable[Server], declared: Declared) -> Iterable[str]:
    for server in servers:
        mine = server.laptops is None or host in server.laptops
        if not (server.on_closet if declared.closet else mine):
            continue
        for name in server.secrets:
            try:
                declared.secrets.value(name)
            except SecretRefusedError as error:
                yield f"mcp_servers.{server.name}: {error}"

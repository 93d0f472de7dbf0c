# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP servers of the inventory in the words of one client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion
from ansible_collections.closet.inference.plugins.plugin_utils.mcp import open_webui, render
from ansible_collections.closet.inference.plugins.plugin_utils.mcp.servers import (
    Server,
    ServersRefusedError,
    read_servers,
)

CLIENTS = ("opencode", "claude", "vscode", "secrets", "omlx", "open_webui", "closet_secrets")


def mcp_rendering(
    declared: Any, client: str, laptop: str = "", secrets: Mapping[str, str] | None = None
) -> Any:
    """What `client` gets of `mcp_servers`: the laptop's servers, or the closet's."""
    try:
        servers = read_servers(declared)
    except ServersRefusedError as error:
        raise AnsibleFilterError(str(error)) from error
    mine, shared = render.for_laptop(servers, laptop), render.for_closet(servers)
    known: dict[str, Callable[[], Any]] = {
        "opencode": lambda: render.opencode(mine),
        "claude": lambda: render.claude(mine),
        "vscode": lambda: render.vscode(mine),
        "secrets": lambda: _secrets(mine),
        "omlx": lambda: render.omlx(shared, secrets or {}),
        "open_webui": lambda: _open_webui(shared, secrets or {}),
        "closet_secrets": lambda: _secrets(shared),
    }
    if client not in known:
        raise AnsibleFilterError(f"there is no client '{client}'{suggestion(client, known)}")
    return known[client]()


def _secrets(servers: tuple[Server, ...]) -> list[str]:
    """The names of the secrets that the servers need; one that is turned off needs its own too."""
    return sorted({name for each in servers for name in each.secrets})


def _open_webui(servers: tuple[Server, ...], secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    made = render.open_webui(servers, secrets)
    wrong = open_webui.errors(made)
    if wrong:
        raise AnsibleFilterError("; ".join(wrong))
    return made


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"mcp_rendering": mcp_rendering}

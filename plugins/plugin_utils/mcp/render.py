# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every declared server in the words of each client; pure.

What a laptop's client gets has references to secrets, in its own syntax. Only what stays in a file
for its owner alone, or in a server's environment, has the secrets themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.mcp.servers import (
    Secret,
    Server,
    Value,
)

# Where the secrets of a laptop are, each in a file for its owner alone.
SECRETS_FOLDER = "~/.config/closet/secrets"
IN_DIRECTORY = 'cd "$1" && shift && exec "$@"'

Reference = Callable[[Secret], str]


def for_laptop(servers: Iterable[Server], laptop: str) -> tuple[Server, ...]:
    """The servers that a laptop gets."""
    return tuple(each for each in servers if each.laptops is None or laptop in each.laptops)


def for_closet(servers: Iterable[Server]) -> tuple[Server, ...]:
    """The servers whose tools the closet itself offers, to everyone who may ask it."""
    return tuple(each for each in servers if each.on_closet and each.enabled)


def opencode(servers: Iterable[Server]) -> dict[str, Any]:
    """The value of `mcp` in opencode's configuration; it reads secrets from their files."""

    def reference(secret: Secret) -> str:
        return f"{{file:{SECRETS_FOLDER}/{secret.name}}}"

    made: dict[str, Any] = {}
    for each in servers:
        common = {"enabled": each.enabled, "timeout": round(each.timeout_s * 1000)}
        if each.transport == "stdio":
            made[each.name] = {
                "type": "local",
                "command": [each.command, *each.args],
                **_given("cwd", each.cwd),
                **_given("environment", _values(each.env, reference)),
                **common,
            }
        else:
            made[each.name] = {
                "type": "remote",
                "url": each.url,
                **_given("headers", _values(each.headers, reference)),
                # with it opencode asks the server for a login page whenever it answers 401
                **({} if each.oauth else {"oauth": False}),
                **common,
            }
    return made


def claude(servers: Iterable[Server]) -> list[dict[str, Any]]:
    """Entries for `mcpServers` of a Claude-style file; it takes secrets from its environment."""
    return [
        {"at": ["mcpServers", each.name], "value": _plain(each, lambda it: f"${{{it.name}}}")}
        for each in servers
        if each.enabled
    ]


def vscode(servers: Iterable[Server]) -> list[dict[str, Any]]:
    """Entries for VS Code's mcp.json; it asks the person once for each secret and keeps it."""
    wanted = [each for each in servers if each.enabled]
    names = dict.fromkeys(name for each in wanted for name in each.secrets)
    inputs = [
        {
            "at": ["inputs", {"id": _input(name)}],
            "value": {
                "id": _input(name),
                "type": "promptString",
                "description": f"{name}, for the MCP servers of the closet",
                "password": True,
            },
        }
        for name in names
    ]
    return inputs + [
        {
            "at": ["servers", each.name],
            "value": _plain(each, lambda it: f"${{input:{_input(it.name)}}}"),
        }
        for each in wanted
    ]


def omlx(servers: Iterable[Server], secrets: Mapping[str, str]) -> dict[str, Any]:
    """The whole file for omlx, with the secrets in it: for its account alone."""
    made = {}
    for each in servers:
        if each.transport == "stdio":
            argv = _argv(each)
            kind: dict[str, Any] = {
                "transport": "stdio",
                "command": argv[0],
                "args": argv[1:],
                **_given("env", _values(each.env, lambda it: secrets[it.name])),
            }
        else:
            kind = {
                "transport": "sse" if each.transport == "sse" else "streamable-http",
                "url": each.url,
                **_given("headers", _values(each.headers, lambda it: secrets[it.name])),
            }
        made[each.name] = {**kind, "enabled": True, "timeout": each.timeout_s}
    return {"servers": made}


def open_webui(servers: Iterable[Server], secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """The list TOOL_SERVER_CONNECTIONS of Open WebUI, with the secrets in it.

    It speaks streamable HTTP alone, so programs and sse are left out.
    """
    return [
        {
            "url": each.url,
            "path": "",
            "type": "mcp",
            "auth_type": "none",
            "key": "",
            "headers": _values(each.headers, lambda it: secrets[it.name]) or None,
            "config": {
                "enable": each.enabled,
                "function_name_filter_list": "",
                "access_grants": [
                    {"principal_type": "user", "principal_id": "*", "permission": "read"}
                ],
            },
            "info": {"id": each.name, "name": each.name, "description": each.description},
        }
        for each in servers
        if each.transport == "http"
    ]


def _plain(each: Server, reference: Reference) -> dict[str, Any]:
    """The shape that the Claude style and VS Code share."""
    if each.transport == "stdio":
        argv = _argv(each)
        return {
            "type": "stdio",
            "command": argv[0],
            **_given("args", argv[1:]),
            **_given("env", _values(each.env, reference)),
        }
    return {
        "type": each.transport,
        "url": each.url,
        **_given("headers", _values(each.headers, reference)),
    }


def _argv(each: Server) -> list[str]:
    """The words that start a program; where a client knows no working directory, sh goes there."""
    words = [each.command, *each.args]
    return ["/bin/sh", "-c", IN_DIRECTORY, "sh", each.cwd, *words] if each.cwd else words


def _values(values: Mapping[str, Value], reference: Reference) -> dict[str, str]:
    return {
        name: value.prefix + reference(value) if isinstance(value, Secret) else value
        for name, value in values.items()
    }


def _given(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def _input(name: str) -> str:
    return f"closet-{name.lower().replace('_', '-')}"

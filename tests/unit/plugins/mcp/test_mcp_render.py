# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One declaration in the words of each client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.filter.mcp_rendering import (
    CLIENTS,
    mcp_rendering,
)
from ansible_collections.closet.inference.plugins.plugin_utils.mcp.open_webui import errors

SERVERS: dict[str, Any] = {
    "notes": {
        "command": "npx",
        "args": ["-y", "notes"],
        "env": {"NOTES_KEY": {"secret": "NOTES_KEY"}, "LEVEL": "1"},
        "cwd": "/srv/notes",
        "timeout_s": 60,
        "for": ["air"],
        "on_closet": True,
    },
    "wiki": {
        "url": "http://attic.local:8090/mcp",
        "headers": {"Authorization": {"secret": "WIKI", "prefix": "Bearer "}},
        "description": "The house's wiki",
        "on_closet": True,
    },
    "old": {"url": "http://attic.local:8091/sse", "transport": "sse", "enabled": False},
}
VALUES = {"NOTES_KEY": "sk-notes", "WIKI": "sk-wiki"}


def test_opencode() -> None:
    assert mcp_rendering(SERVERS, "opencode", "air") == {
        "notes": {
            "type": "local",
            "command": ["npx", "-y", "notes"],
            "cwd": "/srv/notes",
            "environment": {
                "NOTES_KEY": "{file:~/.config/closet/secrets/NOTES_KEY}",
                "LEVEL": "1",
            },
            "enabled": True,
            "timeout": 60000,
        },
        "old": {
            "type": "remote",
            "url": "http://attic.local:8091/sse",
            "oauth": False,
            "enabled": False,
            "timeout": 30000,
        },
        "wiki": {
            "type": "remote",
            "url": "http://attic.local:8090/mcp",
            "headers": {"Authorization": "Bearer {file:~/.config/closet/secrets/WIKI}"},
            "oauth": False,
            "enabled": True,
            "timeout": 30000,
        },
    }


def test_a_laptop_gets_what_is_for_it_and_one_that_logs_in_may() -> None:
    assert set(mcp_rendering(SERVERS, "opencode", "pro")) == {"old", "wiki"}
    login = {"wiki": {"url": "http://a/mcp", "oauth": True}}
    assert "oauth" not in mcp_rendering(login, "opencode", "pro")["wiki"]


def test_claude() -> None:
    assert mcp_rendering(SERVERS, "claude", "air") == [
        {
            "at": ["mcpServers", "notes"],
            "value": {
                "type": "stdio",
                "command": "/bin/sh",
                "args": [
                    "-c",
                    'cd "$1" && shift && exec "$@"',
                    "sh",
                    "/srv/notes",
                    "npx",
                    "-y",
                    "notes",
                ],
                "env": {"NOTES_KEY": "${NOTES_KEY}", "LEVEL": "1"},
            },
        },
        {
            "at": ["mcpServers", "wiki"],
            "value": {
                "type": "http",
                "url": "http://attic.local:8090/mcp",
                "headers": {"Authorization": "Bearer ${WIKI}"},
            },
        },
    ]


def test_vscode_asks_once_for_each_secret() -> None:
    made = mcp_rendering(SERVERS, "vscode", "pro")
    assert made == [
        {
            "at": ["inputs", {"id": "closet-wiki"}],
            "value": {
                "id": "closet-wiki",
                "type": "promptString",
                "description": "WIKI, for the MCP servers of the closet",
                "password": True,
            },
        },
        {
            "at": ["servers", "wiki"],
            "value": {
                "type": "http",
                "url": "http://attic.local:8090/mcp",
                "headers": {"Authorization": "Bearer ${input:closet-wiki}"},
            },
        },
    ]


def test_omlx_has_the_secrets_and_its_own_words() -> None:
    made = mcp_rendering(SERVERS, "omlx", "", VALUES)["servers"]
    assert set(made) == {"notes", "wiki"}
    assert made["notes"]["transport"] == "stdio"
    assert made["notes"]["env"] == {"NOTES_KEY": "sk-notes", "LEVEL": "1"}
    assert made["notes"]["timeout"] == 60
    assert made["wiki"] == {
        "transport": "streamable-http",
        "url": "http://attic.local:8090/mcp",
        "headers": {"Authorization": "Bearer sk-wiki"},
        "enabled": True,
        "timeout": 30,
    }
    # the fields of omlx's MCPServerConfig: one more and it takes none of the file
    known = {"transport", "command", "args", "env", "url", "headers", "enabled", "timeout"}
    assert all(set(server) <= known for server in made.values())


def test_open_webui_gets_what_it_can_speak_to() -> None:
    (made,) = mcp_rendering(SERVERS, "open_webui", "", VALUES)
    assert made["info"] == {"id": "wiki", "name": "wiki", "description": "The house's wiki"}
    assert made["headers"] == {"Authorization": "Bearer sk-wiki"}
    assert errors([made]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"type": "sse"}, "type is 'sse', it can be mcp, openapi", id="type"),
        pytest.param({"url": None}, "url is of the wrong kind", id="url"),
        pytest.param({"auth_type": "bearer"}, "there is no key", id="no key"),
        pytest.param({"config": {"enable": True}}, "access_grants is missing", id="config"),
        pytest.param({"more": 1}, "there is no more", id="unknown"),
    ],
)
def test_what_open_webui_would_not_understand_is_told(change: Any, words: str) -> None:
    (made,) = mcp_rendering(SERVERS, "open_webui", "", VALUES)
    found = errors([{**made, **change}])
    assert len([each for each in found if words in each]) == 1
    assert errors({}) == ["TOOL_SERVER_CONNECTIONS is not a list"]
    assert errors([made, made]) == ["two connections have the id wiki"]


@pytest.mark.parametrize("client", ["opencode", "claude", "vscode"])
def test_no_secret_is_in_what_a_laptop_gets(client: str) -> None:
    text = json.dumps(mcp_rendering(SERVERS, client, "air", VALUES))
    assert [value for value in VALUES.values() if value in text] == []


def test_the_secrets_that_are_needed() -> None:
    assert mcp_rendering(SERVERS, "secrets", "pro") == ["WIKI"]
    assert mcp_rendering(SERVERS, "closet_secrets") == ["NOTES_KEY", "WIKI"]


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_declared_is_nothing_rendered(client: str) -> None:
    made = mcp_rendering({}, client, "air", {})
    assert made in ({}, [], {"servers": {}})


def test_a_wrong_client_or_server_is_no_rendering() -> None:
    with pytest.raises(AnsibleFilterError, match=r"no client 'vscod', do you mean vscode\?"):
        mcp_rendering({}, "vscod")
    with pytest.raises(AnsibleFilterError, match="neither command nor url"):
        mcp_rendering({"a": {}}, "opencode")

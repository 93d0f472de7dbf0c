# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mcp_servers may say, and the sentence for each thing that it may not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.mcp.declarations import (
    Declared,
    SecretRefusedError,
    Secrets,
    errors,
)
from ansible_collections.closet.inference.plugins.plugin_utils.mcp.servers import (
    Secret,
    ServersRefusedError,
    read_servers,
)

PROGRAM = {"command": "npx", "args": ["-y", "notes"]}
ADDRESS = {"url": "http://attic.local:8090/mcp"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param({}, "has neither command nor url", id="nothing"),
        pytest.param({**PROGRAM, **ADDRESS}, "has both command and url", id="both"),
        pytest.param([], "is not a dictionary", id="no dictionary"),
        pytest.param({**ADDRESS, "hedaers": {}}, "do you mean headers?", id="typo"),
        pytest.param({**PROGRAM, "headers": {"X": "y"}}, "has no headers", id="program, headers"),
        pytest.param({**ADDRESS, "env": {"X": "y"}}, "an address, which has no env", id="env"),
        pytest.param({**ADDRESS, "cwd": "/x"}, "which has no cwd", id="address with cwd"),
        pytest.param({**PROGRAM, "oauth": True}, "which has no oauth", id="program with oauth"),
        pytest.param({**ADDRESS, "transport": "htp"}, "do you mean http?", id="transport"),
        pytest.param({**ADDRESS, "transport": "stdio"}, "goes with command", id="stdio, address"),
        pytest.param({**PROGRAM, "transport": "sse"}, "goes with url", id="sse, program"),
        pytest.param({"command": "npx notes"}, "words go into args", id="words in command"),
        pytest.param({**PROGRAM, "args": ["-n", 1]}, "args is a list of texts", id="number"),
        pytest.param({**PROGRAM, "args": [{"secret": "X"}]}, "secrets into env", id="secret arg"),
        pytest.param({**PROGRAM, "cwd": "~/x"}, "has to begin with /", id="cwd"),
        pytest.param({"url": "attic:8090/mcp"}, "is no address such as", id="no scheme"),
        pytest.param({"url": "http:///mcp"}, "is no address such as", id="no host"),
        pytest.param({"url": "http://a:99999/"}, "is no address such as", id="port"),
        pytest.param({"url": "http://a b/"}, "is no address such as", id="blank in url"),
        pytest.param({"url": "http://me:pw@a/"}, "name or password in it", id="password in url"),
        pytest.param({**PROGRAM, "env": {"A B": "x"}}, "cannot be the name of a", id="env name"),
        pytest.param({**PROGRAM, "env": {"A": 1}}, "quote it", id="number in env"),
        pytest.param({**PROGRAM, "env": ["A"]}, "env is not a dictionary", id="env a list"),
        pytest.param({**ADDRESS, "headers": {"A": "x\ny"}}, "line feed", id="header of two lines"),
        pytest.param(
            {**ADDRESS, "headers": {"Authorization": "Bearer x"}}, "write {secret: NAME}", id="open"
        ),
        pytest.param(
            {**PROGRAM, "env": {"A": {"secert": "B"}}}, "do you mean secret?", id="secret typo"
        ),
        pytest.param({**PROGRAM, "env": {"A": {"secret": "b-c"}}}, "made of A-Z", id="secret name"),
        *(
            pytest.param(
                {**PROGRAM, "env": {"A": {"secret": name}}}, "a variable that shells use", id=name
            )
            for name in ("PATH", "HOME", "IFS", "UID", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "PS1")
        ),
        pytest.param({**PROGRAM, "timeout_s": 0}, "above 0", id="no time"),
        pytest.param({**PROGRAM, "timeout_s": True}, "above 0", id="no number"),
        pytest.param({**PROGRAM, "enabled": "no"}, "has to be true or false", id="no flag"),
        pytest.param({**PROGRAM, "for": "air"}, "is a list of laptops", id="for a name"),
        pytest.param(
            {**ADDRESS, "transport": "sse", "headers": {"X": "y"}, "on_closet": True},
            "omlx sends no headers over sse",
            id="sse on the closet",
        ),
    ],
)
def test_a_server_that_cannot_be_meant(told: Any, words: str) -> None:
    with pytest.raises(ServersRefusedError) as caught:
        read_servers({"notes": told})
    assert len(caught.value.errors) == 1, caught.value.errors
    assert caught.value.errors[0].startswith("mcp_servers.notes: ")
    assert words in caught.value.errors[0]
    assert "Bearer x" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("Notes", "made of a-z", id="capital"),
        pytest.param("my_notes", "made of a-z", id="underscore"),
        pytest.param("-notes", "made of a-z", id="begins with a dash"),
        pytest.param("", "made of a-z", id="empty"),
        pytest.param("n" * 25, "25 characters, and 24 are the most", id="too long"),
    ],
)
def test_a_name_that_cannot_be_a_prefix(name: str, words: str) -> None:
    with pytest.raises(ServersRefusedError, match=words):
        read_servers({name: PROGRAM})


def test_the_longest_name_leaves_room_for_a_tool() -> None:
    (server,) = read_servers({"n" * 24: PROGRAM})
    assert 64 - len(f"mcp__{server.name}__") == 33


def test_two_names_that_clients_make_one_of() -> None:
    with pytest.raises(ServersRefusedError, match=r"same names as those of a-b.*a_b_ of both"):
        read_servers({"a-b": PROGRAM, "a_b": ADDRESS})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ServersRefusedError) as caught:
        read_servers({"a": {}, "b": {"url": "x", "bad": 1}, "C": PROGRAM})
    assert len(caught.value.errors) == 4


def test_what_is_said_is_read() -> None:
    one, two = read_servers(
        {
            "b": {**ADDRESS, "headers": {"Authorization": {"secret": "T", "prefix": "Bearer "}}},
            "a": {**PROGRAM, "for": ["air"], "enabled": False, "timeout_s": 5},
        }
    )
    assert (one.name, one.transport, one.laptops, one.enabled) == ("a", "stdio", ("air",), False)
    assert (two.transport, two.laptops, two.secrets) == ("http", None, ("T",))
    assert two.headers == {"Authorization": Secret("T", "Bearer ")}


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "mcp").mkdir()
    for name, text in (("TOKEN", "s1\n"), ("NONE", "")):
        (tmp_path / "mcp" / name).write_text(text)
    (tmp_path / "mcp/FOLDER").mkdir()
    os.mkfifo(tmp_path / "mcp/PIPE")
    return Secrets({"GIVEN": "s3", "LINES": "a\nb"}, tmp_path)


def test_a_secret_is_given_or_beside_the_inventory(secrets: Secrets) -> None:
    assert [secrets.value(name) for name in ("TOKEN", "GIVEN")] == ["s1", "s3"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TOKN", "there is no secret TOKN, do you mean TOKEN?"),
        ("FOLDER", "is not a file, and a secret is expected there"),
        ("PIPE", "is not a file, and a secret is expected there"),
        ("NONE", "is empty"),
        ("LINES", "more than one line"),
    ],
)
def test_a_secret_that_cannot_be_used(secrets: Secrets, name: str, words: str) -> None:
    with pytest.raises(SecretRefusedError) as caught:
        secrets.value(name)
    assert words in str(caught.value)


def declared(secrets: Secrets, servers: Any, closet: bool = False) -> Declared:
    return Declared(servers, secrets, closet)


def test_the_house_is_told_once_and_only_where_it_matters(secrets: Secrets) -> None:
    lost = {"command": "x", "env": {"A": {"secret": "LOST"}}}
    servers = {
        "mine": {**lost, "for": ["air"]},
        "away": {**PROGRAM, "for": ["aire", "attic"]},
        "bad": {},
    }
    house = {
        "attic": declared(secrets, servers, closet=True),
        "air": declared(secrets, servers),
        "pro": declared(secrets, servers),
    }
    found = errors(house)
    assert len(found) == 4
    text = "\n".join(found)
    assert "mcp_servers.mine: there is no secret LOST" in text
    assert "for names aire, which is not in the group clients, do you mean air?" in text
    assert "for names attic, which is a closet: on_closet" in text
    only_closet = {"attic": declared(secrets, {"mine": lost}, closet=True)}
    assert errors(only_closet) == []
    shared = {"attic": declared(secrets, {"mine": {**lost, "on_closet": True}}, closet=True)}
    assert len(errors(shared)) == 1

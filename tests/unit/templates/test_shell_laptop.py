# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell files of a laptop with hostile values, run: each word arrives, and none is a command."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.templates.hostile import LINES, MODEST, accepted
from tests.unit.templates.readers import LOGIN_SHELLS, SHELLS, parses, ran, sourced, written
from tests.unit.templates.rendering import Role

VARIABLES = ("CLOSET_URL", "CLOSET_NAME", "CLOSET_MODEL", "CLOSET_LAN_URL", "NO_PROXY", "no_proxy")
TOLD = ("AIDER_OPENAI_API_BASE", "AIDER_MODEL", "AIDER_OPENAI_API_KEY")
# Plain words that a shell could take for something else.
WORDS = (
    "=ls",
    "==",
    "~root",
    "a=~",
    "#",
    "-n",
    "!!",
    "%s",
    "\\",
    "'",
    '"',
    "",
    "*",
    "{a,b}",
    "a\nb",
)


def laptop(name: str, model: str, **more: Any) -> Role:
    return Role("client_env", client_env_closet_name=name, client_env_model=model, **more)


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(
    accepted("client_env_closet_name") | st.sampled_from(WORDS[:-1]),
    accepted("client_env_model") | LINES,
    accepted("client_env_url"),
    accepted("client_env_lan_url"),
)
def test_the_environment_of_a_laptop(
    folder: Path, shell: str, name: str, model: str, url: str, lan: str
) -> None:
    role = laptop(name, model, client_env_url=url, client_env_lan_url=lan)
    found = sourced(shell, role.text("env.sh"), folder, VARIABLES)
    hosts = [str(urlsplit(one).hostname) for one in (url, lan) if one]
    direct = ",".join(dict.fromkeys(hosts))
    assert found == [url, name, model, lan, direct, direct]


@pytest.mark.parametrize("shell", SHELLS)
@MODEST
@given(
    accepted("client_env_closet_name") | st.sampled_from(WORDS[:-1]),
    accepted("client_env_model") | LINES,
    accepted("client_env_url"),
)
def test_the_program_closet(folder: Path, shell: str, name: str, model: str, url: str) -> None:
    text = laptop(name, model, client_env_url=url).text("usr/local/bin/closet")
    parses(text, folder)
    head = text.partition("\nset -u\n")[0]
    tells = """printf '%s\\0' "$CLOSET_URL" "$CLOSET_NAME" "$CLOSET_MODEL"\n"""
    file = written(folder, "closet-program", f"{head}\n{tells}")
    assert ran([shell, str(file)], folder) == [url, name, model]
    mine = "http://lan/v1"
    assert ran([shell, str(file)], folder, CLOSET_URL=mine) == [mine, name, model]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_that_word(folder: Path, shell: str, word: str) -> None:
    """As in zsh, where `export A==ls` is the path of ls."""
    found = sourced(shell, laptop(word, word).text("env.sh"), folder, VARIABLES[1:3])
    assert found == [word, word]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(accepted("client_env_url"), LINES, LINES)
def test_aider_gets_the_closet_the_key_and_the_model(
    folder: Path, shell: str, url: str, model: str, key: str
) -> None:
    text = laptop("attic", model, client_env_url=url, client_env_tools=["aider"]).text("env.sh")
    config = folder / ".config/closet"
    config.mkdir(parents=True, exist_ok=True)
    (config / "key").write_text(f"{key}\n")
    values = "".join(f'"${name}" ' for name in TOLD)
    written(folder, "bin-aider", f'#!/bin/sh\nprintf "%s\\0" {values}"$@"\n').rename(
        folder / "aider"
    )
    file = written(folder, "env.sh", text)
    words = [shell, "-c", '. "$1" && aider "$2" --x', "sh", str(file), model]
    found = ran(words, folder, PATH=f"{folder}:/usr/bin:/bin")
    assert found == [url, f"openai/{model}", key, model, "--x"]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_an_alias_of_the_person_stays_and_does_no_harm(folder: Path, shell: str) -> None:
    env = laptop("attic", "m", client_env_tools=["aider"]).text("env.sh")
    server = {"a": {"command": "x", "env": {"A": {"secret": "T"}}}}
    role = Role("mcp", mcp_servers=server, mcp_secrets={"T": "t"}, mcp_clients=["claude"])
    text = env + role.text("mcp.sh")
    names = ("aider", "claude", "closet", "closet_env")
    aliases = "".join(f"alias {name}='{name} --mine'\n" for name in names)
    on = "setopt aliases" if shell == "zsh" else "shopt -s expand_aliases"
    file = written(folder, "alias.sh", f"{on}\n{aliases}{text}")
    script = '. "$1" && alias && for name in aider claude closet closet_env; do type "$name"; done'
    done = subprocess.run([shell, "-c", script, "sh", str(file)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().count("--mine") >= len(names)
    defined = subprocess.run(
        [
            shell,
            "-c",
            '. "$1" && unalias -a && type aider claude closet closet_env',
            "sh",
            str(file),
        ],
        capture_output=True,
        check=True,
    )
    assert defined.stdout.decode().count("function") >= len(names)


@MODEST
@given(accepted("opencode_url"), st.lists(LINES, max_size=3), LINES)
def test_the_wrapper_of_opencode(folder: Path, url: str, words: list[str], proxies: str) -> None:
    role = Role("opencode", opencode_url=url)
    text = role.text("bin/opencode")
    program = role.value(role.variables["__opencode_program"])
    assert text.count(program) == 1
    parses(text, folder)
    tells = f'{folder}/tells "$NO_PROXY" "$no_proxy"'
    file = written(folder, "opencode", text.replace(f"'{program}'", tells))
    found = ran([str(file), *words], folder, NO_PROXY=proxies)
    host = urlsplit(url).hostname
    listed = f",{host}," in f",{proxies},"
    kept = proxies if listed or not url else ",".join(filter(None, [host, proxies]))
    assert found == [kept, kept, *words]


SECRETS = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), min_size=1)


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
@MODEST
@given(SECRETS, VALUES)
def test_secrets_reach_the_program_and_nothing_else(
    folder: Path, shell: str, name: str, value: str
) -> None:
    server = {"a": {"url": "http://a/mcp", "headers": {"X": {"secret": f"MCP_{name}"}}}}
    name = f"MCP_{name}"
    role = Role("mcp", mcp_servers=server, mcp_secrets={name: value}, mcp_clients=["claude"])
    files = role.files()
    home = str(role.variables["preflight_facts"]["home"])
    secret = files[f"{home}/.config/closet/secrets/{name}"]["content"]
    path = folder / ".config/closet/secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(secret)
    written(folder, "claude", f'#!/bin/sh\nprintf "%s\\0" "${name}" "$@"\n')
    file = written(folder, "mcp.sh", files[f"{home}/.config/closet/mcp.sh"]["content"])
    script = f'. "$1" && claude "$2" && printf "%s\\0" "${{{name}-unset}}"'
    words = [shell, "-c", script, "sh", str(file), value]
    found = ran(words, folder, PATH=f"{folder}:/usr/bin:/bin")
    assert found == [value, value, "unset"]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON and YAML with hostile values: what a reader finds is what was given, and no more."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.opencode.permissions import held
from tests.unit.templates.hostile import HOMES, LINES, MODEST, PIECES, accepted
from tests.unit.templates.rendering import Role

# The inventory holds them to more; what a program reads back must not depend on that.
TEXTS = LINES | st.sampled_from(
    ("null", "yes", "1", "1.0", "0x1", "2026-01-01", "~", "", "a: b", "- a")
)
TOKENS = st.integers(1, 1 << 20)
MODELS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXTS,
            "title": TEXTS,
            "context": TOKENS,
            "output": TOKENS,
            "pinned": st.booleans(),
            "sampling": st.fixed_dictionaries(
                {}, optional={"temperature": st.floats(0, 2), "top_p": st.floats(0, 1)}
            ),
        }
    ),
    max_size=3,
    unique_by=lambda model: model["name"],
)
URL = accepted("client_env_url")
HOME = "/Users/admin"


def tools(url: str, models: Any, key: str, model: str) -> dict[str, Any]:
    every = ["aider", "continue", "llm", "vscode", "zed"]
    role = Role(
        *("client_env",),
        client_env_url=url,
        client_env_models=models,
        client_env_model=model,
        client_env_api_key=key,
        client_env_tools=every,
    )
    return role.files()


@MODEST
@given(URL, MODELS, accepted("client_env_api_key"), TEXTS)
def test_the_files_of_a_laptop_s_tools(
    url: str, models: list[dict[str, Any]], key: str, chosen: str
) -> None:
    files = tools(url, models, key, chosen)
    names = [model["name"] for model in models]

    aider = json.loads(files[f"{HOME}/.config/closet/aider.json"]["content"])
    assert list(aider) == [f"openai/{name}" for name in names]
    assert [one["max_input_tokens"] for one in aider.values()] == [m["context"] for m in models]

    cont = yaml.safe_load(files[f"{HOME}/.continue/models/closet.yaml"]["content"])
    assert list(cont) == ["name", "version", "schema", "models"]
    found = [(m["name"], m["model"], m["apiBase"], m["apiKey"]) for m in cont["models"]]
    assert found == [(m["title"], m["name"], url, key) for m in models]

    support = f"{HOME}/Library/Application Support"
    llm = yaml.safe_load(files[f"{support}/io.datasette.llm/extra-openai-models.yaml"]["block"])
    assert [(m["model_id"], m["model_name"], m["api_base"]) for m in llm] == [
        (f"closet/{name}", name, url) for name in names
    ]
    assert [m["aliases"] for m in llm] == [["closet"] if n == chosen else [] for n in names]
    [kept] = files[f"{support}/io.datasette.llm/keys.json"]["merge"]
    assert (kept["at"], kept["value"]) == (["closet"], key)

    [code] = files[f"{support}/Code/User/chatLanguageModels.json"]["merge"]
    assert [(m["id"], m["name"]) for m in code["value"]["models"]] == [
        (m["name"], m["title"]) for m in models
    ]
    assert all(m["url"] == f"{url}/chat/completions" for m in code["value"]["models"])

    [zed] = files[f"{HOME}/.config/zed/settings.json"]["merge"]
    assert zed["value"]["api_url"] == url
    assert [m["display_name"] for m in zed["value"]["available_models"]] == [
        m["title"] for m in models
    ]


def as_json(text: str) -> Any:
    """With the line of remark that opencode's JSON may have."""
    first, line, rest = text.partition("\n")
    return json.loads(rest if first.startswith("// Managed by") else f"{first}{line}{rest}")


ACTIONS = st.sampled_from(("ask", "allow", "deny"))
PERMISSIONS = st.dictionaries(
    st.sampled_from(("bash", "edit", "webfetch")),
    ACTIONS | st.dictionaries(LINES.filter(bool), ACTIONS, min_size=1, max_size=3),
    max_size=3,
)
AGENTS = st.dictionaries(
    st.sampled_from(("build", "plan")) | LINES.filter(bool),
    st.fixed_dictionaries(
        {}, optional={"prompt": TEXTS, "temperature": st.floats(0, 1), "permission": PERMISSIONS}
    ),
    max_size=3,
)


@MODEST
@given(URL, MODELS, accepted("opencode_closet_name"), PERMISSIONS, AGENTS, HOMES)
def test_the_configuration_of_opencode(
    url: str,
    models: list[dict[str, Any]],
    name: str,
    permission: dict[str, Any],
    agents: dict[str, Any],
    home: str,
) -> None:
    build = models[0]["name"] if models else "m"
    role = Role(
        *("opencode",),
        opencode_url=url,
        opencode_models=models,
        opencode_profile_model=build,
        opencode_closet_name=name,
        opencode_permission=permission,
        opencode_agents=agents,
        opencode_home=home,
        opencode_instructions="be brief",
        opencode_instruction_files=["~/a b.md"],
    )
    files = role.files()
    lock = as_json(files["/Library/Application Support/opencode/opencode.json"]["content"])
    assert lock["enabled_providers"] == ["closet"]
    assert list(lock["provider"]) == ["closet"]
    closet = lock["provider"]["closet"]
    assert closet["name"] == name
    assert closet["whitelist"] == [model["name"] for model in models]
    assert [one["name"] for one in closet["models"].values()] == [m["title"] for m in models]
    assert closet["options"]["baseURL"] == url
    assert lock.get("permission", {}) == permission
    assert lock["instructions"] == [f"{home}/.config/closet/instructions.md", "~/a b.md"]
    # what it holds is test_opencode_permissions.py's
    assert {key: lock.get(key, {}) for key in ("agent", "mode")} == held(permission, agents)

    config = as_json(files[f"{home}/.config/opencode/config.json"]["content"])
    assert config["model"] == f"closet/{build}" if build else True
    assert config["agent"].keys() == {"build", "plan", *agents}
    for agent, given_keys in agents.items():
        for key in given_keys.keys() - {"permission"}:
            assert config["agent"][agent][key] == given_keys[key]


def test_opencode_replaces_our_references_and_no_other() -> None:
    """It replaces them in the text of the file, before it reads it as JSON."""
    name = "{env:HOME}{file:~/.ssh/id_rsa}"
    server = {"type": "local", "environment": {"A": "{file:~/.config/closet/secrets/A}", "B": name}}
    role = Role("opencode", opencode_closet_name=name, opencode_mcp={"a": server})
    text = role.text("Application Support/opencode/opencode.json")
    assert re.findall(r"\{(?:env|file):[^}]*\}", text) == [
        *("{file:~/.config/closet/key}", "{file:~/.config/closet/secrets/A}"),
    ]
    lock = json.loads(text)
    assert (lock["provider"]["closet"]["name"], lock["mcp"]) == (name, {"a": server})


@MODEST
@given(accepted("opencode_instructions"))
def test_instructions_are_written_as_they_are(text: str) -> None:
    role = Role("opencode", opencode_instructions=text)
    entry = role.files("instructions.md")["/Users/admin/.config/closet/instructions.md"]
    assert entry.get("content", "") == text


@MODEST
@given(MODELS, TEXTS, accepted("omlx_ttl_seconds"))
def test_the_settings_of_omlx_s_models(
    models: list[dict[str, Any]], default: str, ttl: Any
) -> None:
    role = Role("omlx", omlx_models=models, omlx_default_model=default, omlx_ttl_seconds=ttl)
    found = role.value(role.variables["__omlx_model_settings"])
    assert list(found) == [model["name"] for model in models]
    for model in models:
        made = found[model["name"]]
        assert (made["is_pinned"], made["is_default"]) == (
            model["pinned"],
            model["name"] == default,
        )
        assert (made["ttl_seconds"], made["max_tokens"]) == (int(ttl), model["output"])
        assert made["temperature"] == model["sampling"].get("temperature")


TEXT = st.sampled_from(PIECES) | LINES
SERVERS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
    st.builds(
        lambda command, args, env: {"command": f"/{command}", "args": args, "env": env},
        TEXT,
        st.lists(TEXT, max_size=3),
        st.dictionaries(st.just("X"), TEXT, max_size=1),
    ),
    max_size=2,
)


@MODEST
@given(SERVERS)
def test_mcp_servers_reach_every_client(servers: dict[str, Any]) -> None:
    role = Role("mcp", mcp_servers=servers, mcp_clients=["claude", "vscode"])
    files = role.files()
    claude = {one["at"][1]: one["value"] for one in files[f"{HOME}/.claude.json"]["merge"]}
    support = f"{HOME}/Library/Application Support/Code/User/mcp.json"
    vscode = {one["at"][1]: one["value"] for one in files[support]["merge"]}
    for made in (claude, vscode):
        assert made.keys() == servers.keys()
        for name, its in servers.items():
            words = [made[name]["command"], *made[name].get("args", [])]
            assert words == [its["command"], *its["args"]]
            assert made[name].get("env", {}) == its["env"]


@MODEST
@given(SERVERS)
def test_the_file_of_omlx_s_mcp_servers(servers: dict[str, Any]) -> None:
    told = {name: {"transport": "stdio", **its} for name, its in servers.items()}
    files = Role("omlx", omlx_mcp_servers=told).files("mcp.json")
    [entry] = files.values()
    assert json.loads(entry["content"]) == {"servers": told} if told else "content" not in entry


@MODEST
@given(MODELS, accepted("ollama_keep_alive"), accepted("ollama_parallel"), HOMES)
def test_what_ollama_is_told(
    models: list[dict[str, Any]], keep: Any, parallel: Any, home: str
) -> None:
    tagged = [{**model, "tag": model["title"]} for model in models]
    role = Role(
        *("ollama",),
        facts={"account_home": home},
        ollama_models=tagged,
        ollama_keep_alive=keep,
        ollama_parallel=parallel,
    )
    wanted = role.value(role.variables["__ollama_wanted"])
    assert [(one["name"], one["source"]) for one in wanted] == [
        (model["name"], model["title"]) for model in models
    ]
    [plist] = role.jobs().values()
    told = plist["EnvironmentVariables"]
    assert told["HOME"] == home
    assert told["OLLAMA_MODELS"] == f"{home}/.ollama/models"
    assert told["OLLAMA_KEEP_ALIVE"] == keep
    assert told.get("OLLAMA_NUM_PARALLEL", "0") == str(int(parallel))

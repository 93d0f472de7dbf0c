# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The opencode options of one laptop, checked against the closet that it uses.

Pure. opencode refuses an invalid permission only at its start, and silently drops unknown keys, so
both are refused here. The names and types are those of opencode 1.18: `opencode debug config` shows
the accepted ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.serving import Serving

ACTIONS = ("ask", "allow", "deny")
# What a permission can be about; the second kind takes no patterns.
PATTERNED = (
    *("read", "edit", "glob", "grep", "list", "bash", "task", "external_directory"),
    *("codesearch", "lsp", "skill"),
)
PLAIN = ("todowrite", "question", "webfetch", "websearch", "doom_loop")
AGENT_KEYS: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "prompt": (str,),
    "description": (str,),
    "mode": (str,),
    "permission": (dict,),
    "temperature": (int, float),
    "top_p": (int, float),
    "steps": (int,),
    "disable": (bool,),
}
KINDS: Mapping[type, str] = {str: "text", dict: "a mapping", bool: "true or false"}
MODES = ("primary", "subagent", "all")
# The variables of the role that name a model.
MODELS = ("opencode_model", "opencode_plan_model", "opencode_small_model")
WANTS = (*MODELS, "opencode_permission", "opencode_agents", "opencode_instruction_files")


def errors(client: str, wants: Mapping[str, Any], serving: Serving) -> list[str]:
    """One error for each thing that cannot be meant, in the words of the inventory."""
    served = [model.name for model in serving.models if model.kind == "chat"]
    found: list[str] = []
    for name in MODELS:
        found += _model(name, wants.get(name), served, serving)
    found += _permission("opencode_permission", wants.get("opencode_permission") or {})
    found += _agents(wants.get("opencode_agents") or {}, served, serving)
    found += _files(wants.get("opencode_instruction_files") or [])
    return [f"{client}: {sentence}" for sentence in found]


def _model(name: str, model: Any, served: Sequence[str], serving: Serving) -> Iterator[str]:
    if model and str(model) not in served:
        yield (
            f"{name} is '{model}', but {serving.host} serves {', '.join(served)} in its profile "
            f"{serving.profile}{suggestion(str(model), served)}"
        )


def _permission(name: str, permission: Any) -> Iterator[str]:
    if not isinstance(permission, Mapping):
        yield f"{name} is not a mapping: write it as {{bash: ask}}"
        return
    for key, value in permission.items():
        yield from _permission_key(f"{name}.{key}", str(key), value)


def _permission_key(place: str, key: str, value: Any) -> Iterator[str]:
    known = (*PATTERNED, *PLAIN)
    if key not in known and not _names_a_tool(key, known):
        yield (
            f"{place}: opencode has no permission {key}{suggestion(key, known)} "
            "(a tool of an MCP server is written SERVER_TOOL or SERVER_*)"
        )
    elif isinstance(value, Mapping) and key not in PLAIN:
        for pattern, action in value.items():
            yield from _action(f"{place}['{pattern}']", action)
    elif isinstance(value, Mapping):
        yield f"{place} takes no patterns: it is one of {', '.join(ACTIONS)}"
    else:
        yield from _action(place, value)


def _names_a_tool(key: str, known: Sequence[str]) -> bool:
    """A name of an MCP server's tools has an underscore or a star, and is no slip of the pen."""
    slip = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
    return ("_" in key or "*" in key) and not slip


def _action(place: str, action: Any) -> Iterator[str]:
    if not isinstance(action, str) or action not in ACTIONS:
        hint = suggestion(str(action), ACTIONS)
        yield f"{place} is '{action}', and it can be {', '.join(ACTIONS)}{hint}"


def _agents(agents: Any, served: Sequence[str], serving: Serving) -> Iterator[str]:
    if not isinstance(agents, Mapping):
        yield "opencode_agents is not a mapping: write it as {plan: {temperature: 0.2}}"
        return
    for agent, keys in agents.items():
        place = f"opencode_agents.{agent}"
        if not isinstance(keys, Mapping):
            yield f"{place} is not a mapping: write it as {{temperature: 0.2}}"
            continue
        for key, value in keys.items():
            yield from _agent_key(place, str(key), value)
        yield from _model(f"{place}.model", keys.get("model"), served, serving)


def _agent_key(place: str, key: str, value: Any) -> Iterator[str]:
    if key not in AGENT_KEYS:
        hint = suggestion(key, AGENT_KEYS)
        yield f"{place}: opencode's agents have no {key} that could be set here{hint}"
    elif not isinstance(value, AGENT_KEYS[key]) or (
        isinstance(value, bool) and bool not in AGENT_KEYS[key]
    ):
        wanted = KINDS.get(AGENT_KEYS[key][0], "a number")
        yield f"{place}.{key} is '{value}', and it takes {wanted}"
    elif key == "mode" and value not in MODES:
        yield f"{place}.mode is '{value}', and it can be {', '.join(MODES)}"
    elif key == "permission":
        yield from _permission(f"{place}.permission", value)


def _files(files: Any) -> Iterator[str]:
    for file in files if isinstance(files, (list, tuple)) else [files]:
        if not str(file).startswith(("/", "~/")):
            yield (
                f"opencode_instruction_files has '{file}': name a file on the laptop from / or ~/ "
                "on; an address would be fetched from elsewhere at every start"
            )

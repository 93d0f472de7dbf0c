"""What a laptop's opencode may be asked to be: models of its closet, and words opencode knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import laptop, serving
from tests.unit import documents

ROOT = Path(__file__).parents[4]
LINEUP = documents.read(ROOT / "roles/preflight/vars/main.yml")
SERVING = serving.plan(
    "attic",
    {
        "profile": "default",
        "exposure": "lan",
        "port": 8000,
        "url_host": "attic.local",
        "revisions": {},
    },
    LINEUP["preflight_models"],
    LINEUP["preflight_profiles"],
)
FINE: dict[str, Any] = {
    "opencode_model": "qwen3.6-35b",
    "opencode_plan_model": "",
    "opencode_small_model": None,
    "opencode_permission": {
        "bash": {"*": "allow", "git push*": "ask"},
        "webfetch": "deny",
        "closet-tools_*": "ask",
        "weather_forecast": "allow",
    },
    "opencode_agents": {
        "plan": {"temperature": 0, "model": "qwen3.6-35b", "permission": {"edit": "deny"}},
        "review": {"mode": "subagent", "description": "reviews", "prompt": "Be brief.", "steps": 9},
        "general": {"disable": True},
    },
    "opencode_instruction_files": ["~/notes/*.md", "/Users/Shared/house.md"],
}


def test_what_makes_sense_passes() -> None:
    assert laptop.errors("air", FINE, SERVING) == []
    assert laptop.errors("air", dict.fromkeys(laptop.WANTS), SERVING) == []


@pytest.mark.parametrize(
    ("wants", "words"),
    [
        (
            {"opencode_model": "qwen3.6-35B"},
            ["air: opencode_model is 'qwen3.6-35B', but attic serves", "do you mean qwen3.6-35b?"],
        ),
        (
            {"opencode_plan_model": "qwen3-embedding"},
            ["opencode_plan_model is", "serves qwen3-coder-next, qwen3.6-35b in its profile def"],
        ),
        ({"opencode_small_model": "gpt-5"}, ["opencode_small_model is 'gpt-5'"]),
        (
            {"opencode_permission": {"bsh": "ask"}},
            ["opencode_permission.bsh: opencode has no permission bsh, do you mean bash?"],
        ),
        (
            {"opencode_permission": {"external_directry": "ask"}},
            ["do you mean external_directory?"],
        ),
        (
            {"opencode_permission": {"bash": "alow"}},
            ["opencode_permission.bash is 'alow', and it can be ask, allow, deny", "mean allow?"],
        ),
        (
            {"opencode_permission": {"edit": {"*.env": True}}},
            ["opencode_permission.edit['*.env'] is 'True'"],
        ),
        (
            {"opencode_permission": {"webfetch": {"*": "ask"}}},
            ["opencode_permission.webfetch takes no patterns"],
        ),
        ({"opencode_permission": "allow"}, ["opencode_permission is not a mapping"]),
        (
            {"opencode_agents": {"plan": {"model": "qwen3-coder-nxt"}}},
            ["opencode_agents.plan.model is 'qwen3-coder-nxt'", "do you mean qwen3-coder-next?"],
        ),
        (
            {"opencode_agents": {"plan": {"temprature": 0.2}}},
            ["opencode_agents.plan: opencode's agents have no temprature", "mean temperature?"],
        ),
        ({"opencode_agents": {"plan": {"steps": "many"}}}, ["it takes a number"]),
        ({"opencode_agents": {"plan": {"top_p": True}}}, ["top_p is 'True'", "a number"]),
        ({"opencode_agents": {"plan": {"mode": "main"}}}, ["primary, subagent, all"]),
        ({"opencode_agents": {"plan": "off"}}, ["opencode_agents.plan is not a mapping"]),
        ({"opencode_agents": ["plan"]}, ["opencode_agents is not a mapping"]),
        (
            {"opencode_agents": {"build": {"permission": {"edit": "dney"}}}},
            ["opencode_agents.build.permission.edit is 'dney'", "do you mean deny?"],
        ),
        (
            {"opencode_instruction_files": ["https://example.com/rules.md"]},
            ["'https://example.com/rules.md'", "from / or ~/ on"],
        ),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(wants: dict[str, Any], words: list[str]) -> None:
    told = laptop.errors("air", {**FINE, **wants}, SERVING)
    assert len(told) == 1, told
    assert told[0].startswith("air: ")
    for word in words:
        assert word in told[0]

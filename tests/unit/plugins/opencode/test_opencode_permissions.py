"""Permissions of the lock are the last that match, whatever a project or a person writes.

`rules` puts a configuration together as opencode 1.18.33 does it; the lab asks the program itself.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.opencode.permissions import (
    agents_held,
    held,
    loosening,
    matches,
    met,
    without_effect,
)

LOCK: dict[str, Any] = {"webfetch": "deny", "bash": {"git push*": "ask"}}
OPEN = {"webfetch": "allow", "bash": {"git push*": "allow", "*": "allow"}, "*": "allow"}


def laid_over(below: Any, above: Any) -> Any:
    """A key that both have keeps its place and takes the upper value."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    over = {key: laid_over(below[key], above[key]) for key in below if key in above}
    return {**below, **over, **{key: above[key] for key in above if key not in below}}


def rules(
    permission: dict[str, Any],
    agents: dict[str, Any],
    project: dict[str, Any],
    agent: str,
    variable: dict[str, Any] | None = None,
) -> list[tuple[str, str, str]]:
    lock = {"permission": permission, **held(permission, agents)}
    whole = laid_over(project, lock)
    own = whole.get("agent", {}).get(agent, {}).get("permission", {})
    if agent in whole.get("mode", {}):
        own = laid_over(own, whole["mode"][agent].get("permission", {}))
    common = laid_over(whole["permission"], variable or {})
    return [
        (key, pattern, action)
        for each in (common, own)
        for key, rule in each.items()
        for pattern, action in (rule.items() if isinstance(rule, dict) else [("*", rule)])
    ]


def decided(found: list[tuple[str, str, str]], name: str, what: str = "*") -> str:
    last = [act for key, pat, act in found if matches(key, name) and matches(pat, what)]
    return last[-1] if last else "allow"


PROJECTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "the same key": {"permission": {"webfetch": "allow"}},
    "and everything after it": {"permission": OPEN},
    "everything first": {"permission": {"*": "allow", "webfetch": "allow"}},
    "a wildcard": {"permission": {"webfetch": "allow", "web*": "allow"}},
    "the agent's": {"agent": {a: {"permission": OPEN} for a in agents_held({})}},
    "the mode's": {"mode": {a: {"permission": OPEN} for a in ("build", "plan")}},
    "all of them": {
        "permission": OPEN,
        "agent": {a: {"permission": OPEN} for a in agents_held({})},
        "mode": {a: {"permission": OPEN} for a in ("build", "plan")},
    },
}


@pytest.mark.parametrize("agent", agents_held({}))
@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("variable", [None, {"webfetch": "allow"}, OPEN])
def test_what_is_locked_holds(agent: str, project: str, variable: dict[str, Any] | None) -> None:
    found = rules(LOCK, {}, PROJECTS[project], agent, variable)
    assert decided(found, "webfetch") == "deny"
    assert decided(found, "bash", "git push origin") == "ask"
    assert decided(found, "edit") == "allow"


def test_an_agent_of_a_name_of_its_own_is_not_held() -> None:
    found = rules(LOCK, {}, {"agent": {"mine": {"permission": OPEN}}}, "mine")
    assert decided(found, "webfetch") == "allow"
    assert decided(rules(LOCK, {}, {}, "mine"), "webfetch") == "deny"


def test_an_agents_own_permission_comes_after_the_common_one() -> None:
    agents = {
        "plan": {"permission": {"webfetch": "allow", "bash": {"ls*": "allow", "*": "deny"}}},
        "review": {"mode": "subagent", "permission": {"edit": "deny"}},
    }
    plan = rules(LOCK, agents, {"agent": {"plan": {"permission": {"webfetch": "ask"}}}}, "plan")
    assert decided(plan, "webfetch") == "allow"
    assert decided(plan, "bash", "ls -l") == "deny", "the last pattern counts, as it stands"
    review = rules(LOCK, agents, {"agent": {"review": {"permission": OPEN}}}, "review")
    assert (decided(review, "edit"), decided(review, "webfetch")) == ("deny", "deny")


@pytest.mark.parametrize(
    ("common", "own", "expected"),
    [
        ({"bash": "ask"}, {"bash": {"ls*": "allow"}}, {"bash": {"*": "ask", "ls*": "allow"}}),
        (
            {"bash": {"ls*": "deny", "*": "ask"}},
            {"bash": {"ls*": "allow"}},
            {"bash": {"*": "ask", "ls*": "allow"}},
        ),
        ({"bash": {"ls*": "deny"}}, {"bash": "allow"}, {"bash": "allow"}),
        (
            {"webfetch": "deny", "*": "ask"},
            {"webfetch": "allow"},
            {"*": "ask", "webfetch": "allow"},
        ),
    ],
)
def test_two_permissions_are_one_in_the_order_in_which_they_count(
    common: dict[str, Any], own: dict[str, Any], expected: dict[str, Any]
) -> None:
    lock = held(common, {"review": {"permission": own}})["agent"]["review"]["permission"]
    twice = {**expected, **{f"{key} *": rule for key, rule in expected.items()}}
    assert list(lock.items()) == list(twice.items())


def test_without_a_permission_nothing_is_held() -> None:
    assert held({}, {"review": {"prompt": "Brief."}}) == {"agent": {}, "mode": {}}


def test_a_main_agent_that_the_inventory_makes_a_subagent_stays_one() -> None:
    lock = held({"edit": "deny"}, {"plan": {"mode": "subagent"}})
    assert list(lock["mode"]) == ["build"]
    assert "plan" in lock["agent"]


@pytest.mark.parametrize(
    ("pattern", "name", "is_one"),
    [
        ("webfetch *", "webfetch", True),
        ("webfetch *", "webfetcher", False),
        ("read *", "reddit_read", False),
        ("web*", "webfetch", True),
        ("tavily_* *", "tavily_search", True),
        ("* *", "edit", True),
        ("?ash", "bash", True),
        ("a.b", "axb", False),
    ],
)
def test_names_match_as_in_opencode(pattern: str, name: str, is_one: bool) -> None:
    assert matches(pattern, name) is is_one


def test_what_a_file_of_the_persons_does_to_the_lock() -> None:
    assert list(without_effect(LOCK, OPEN)) == ["webfetch", "bash['git push*']"]
    assert list(without_effect(LOCK, "allow")) == []
    assert list(without_effect(LOCK, ["strange"])) == []
    assert list(loosening(LOCK, {"webfetch": "ask", "web*": "allow"})) == [("web*", "webfetch")]
    assert list(loosening(LOCK, {"web*": "allow", "webfetch": "ask"})) == []
    assert met(LOCK, "allow") == ["webfetch", "bash"]
    assert met(LOCK, {"edit": "allow"}) == []

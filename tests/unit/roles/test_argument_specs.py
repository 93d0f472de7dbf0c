"""The argument specs are the documentation of the roles: complete, and equal to the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit import documents

ROOT = Path(__file__).parents[3]
WITH_TASKS = sorted(path.parent for path in (ROOT / "roles").glob("*/tasks"))
# What the roles depend on has no options: an empty spec would cost each of them a task.
ROLES = [role for role in WITH_TASKS if role.name != "_host_facts"]
# It has no tasks and no defaults: the plays read the variables, the playbooks those of -e.
CLOSET = ROOT / "roles/closet"


def entries(role: Path) -> dict[str, Any]:
    found: dict[str, Any] = documents.read(role / "meta/argument_specs.yml")["argument_specs"]
    return found


def options(role: Path) -> dict[str, Any]:
    specs = entries(role).values()
    return {name: option for spec in specs for name, option in spec["options"].items()}


def defaults(role: Path) -> dict[str, Any]:
    return documents.read(role / "defaults/main.yml") or {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_is_documented_as_it_is(role: Path) -> None:
    documented = {
        name: spec["default"] for name, spec in options(role).items() if "default" in spec
    }
    assert documented == defaults(role)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_has_a_comment_line(role: Path) -> None:
    lines = (role / "defaults/main.yml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line[:1].isalpha():
            assert lines[number - 1].startswith("# "), line


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_variables_carry_the_name_of_their_role(role: Path) -> None:
    # the private role takes a list of daemons
    prefixes = (f"{role.name}_",) if role.name != "_daemon" else ("daemon_", "daemons")
    assert [name for name in options(role) if not name.startswith(prefixes)] == []


def test_every_role_for_owners_works_alone() -> None:
    alone = [role.name for role in WITH_TASKS if not role.name.startswith("_")]
    needs = {"dependencies": [{"role": "closet.inference._host_facts"}]}
    has = [name for name in alone if (ROOT / "roles" / name / "meta/main.yml").exists()]
    # preflight gathers the host facts itself, for all hosts at once
    assert has == [name for name in alone if name != "preflight"]
    assert all(documents.read(ROOT / "roles" / name / "meta/main.yml") == needs for name in has)


def test_what_an_inventory_says_of_its_closet_carries_its_name() -> None:
    inventory = entries(CLOSET)["inventory"]["options"]
    assert [name for name in inventory if not name.startswith("closet_")] == []


def test_every_other_entry_of_the_closet_is_a_playbook_and_documented() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in (ROOT / "docs/playbooks.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    wanted = [
        (f"`{name}`", f"`{book}.yml`", values(option), "yes" if option.get("required") else "")
        for book, entry in entries(CLOSET).items()
        if book != "inventory"
        for name, option in entry["options"].items()
    ]
    assert [row[:4] for row in rows] == wanted
    assert all((ROOT / "playbooks" / row[1].strip("`")).exists() for row in rows)


def values(option: dict[str, Any]) -> str:
    """What the table says of a type."""
    if "choices" in option:
        return ", ".join(f"`{choice}`" for choice in option["choices"])
    return {"bool": "`true`, `false`", "str": "text", "list": "a list"}[option["type"]]

"""The argument specs are the documentation of the roles: complete, and equal to the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

# the role closet has no tasks and takes nothing: it is what the plays know of their closet
ROLES = sorted(path.parent for path in (Path(__file__).parents[3] / "roles").glob("*/tasks"))


def options(role: Path) -> dict[str, Any]:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec["options"].items()}


def defaults(role: Path) -> dict[str, Any]:
    return yaml.safe_load((role / "defaults/main.yml").read_text()) or {}


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
    # preflight reads the house's own variables and those of the playbooks
    more = ("closet_", "models_remove") if role.name == "preflight" else ("daemons",)
    prefixes = (f"{role.name.lstrip('_')}_", *more)
    assert [name for name in options(role) if not name.startswith(prefixes)] == []

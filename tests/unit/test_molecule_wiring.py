"""Molecule's scenarios hand a role what the playbooks hand it, as site.yml wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

MOLECULE = Path(__file__).resolve().parents[2] / "molecule"
PLAYBOOKS = MOLECULE.parent / "playbooks"
CONVERGES = sorted(MOLECULE.glob("*/converge.yml"))


def imports(playbook: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each role that a playbook imports and runs, with the variables it gets."""
    for play in yaml.safe_load(playbook.read_text()):
        for task in play.get("tasks", []):
            role = task.get("ansible.builtin.import_role")
            if role and task.get("when") is not False:
                yield (role["name"], role.get("tasks_from", "main")), task.get("vars", {})


# those that provision; others use a role in their own ways
PROVISIONING = ("closet.yml", "clients.yml", "preflight.yml")
WIRED = {role: given for playbook in PROVISIONING for role, given in imports(PLAYBOOKS / playbook)}


@pytest.mark.parametrize("converge", CONVERGES, ids=[path.parent.name for path in CONVERGES])
def test_a_role_gets_here_what_the_playbooks_give_it(converge: Path) -> None:
    here = dict(imports(converge))
    assert here == {role: WIRED[role] for role in here}


def test_every_role_has_its_scenario() -> None:
    roles = {path.parent.parent.name for path in MOLECULE.parent.glob("roles/*/tasks/main.yml")}
    assert {path.parent.name for path in CONVERGES} == roles

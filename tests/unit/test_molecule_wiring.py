"""Molecule's scenarios hand a role what the playbooks hand it, as site.yml wants it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import documents

MOLECULE = Path(__file__).resolve().parents[2] / "molecule"
PLAYBOOKS = MOLECULE.parent / "playbooks"
CONVERGES = sorted(MOLECULE.glob("*/converge.yml"))


def imports(playbook: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each role that a playbook or a file of tasks imports and runs, with the variables it gets."""
    for entry in documents.read(playbook):
        for task in tasks(entry):
            role = task.get("ansible.builtin.import_role")
            if role and task.get("when") is not False:
                yield (role["name"], role.get("tasks_from", "main")), task.get("vars", {})


def tasks(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A task, or what is in a play or a block."""
    inside = [*entry.get("tasks", []), *entry.get("block", [])]
    if not inside:
        yield entry
    for task in inside:
        yield from tasks(task)


# those that provision; others use a role in their own ways
PROVISIONING = ("closet.yml", "clients.yml", "preflight.yml")
WIRED: dict[tuple[str, str], list[Any]] = defaultdict(list)
for path in sorted(PLAYBOOKS.rglob("*.yml")):
    if path.name in PROVISIONING or path.parent.name == "tasks":
        for wired, given_there in imports(path):
            WIRED[wired].append(given_there)


@pytest.mark.parametrize("converge", CONVERGES, ids=[path.parent.name for path in CONVERGES])
def test_a_role_gets_here_what_the_playbooks_give_it(converge: Path) -> None:
    # a role that several backends use is wired once for each of them
    for role, given in imports(converge):
        # the plays install by the private role that all servers share
        if role[1] != "install":
            assert given in WIRED[role], role


def test_every_role_has_its_scenario() -> None:
    roles = {
        path.parent.parent.name for path in MOLECULE.parent.glob("roles/[a-z]*/tasks/main.yml")
    }
    assert {path.parent.name for path in CONVERGES} == roles

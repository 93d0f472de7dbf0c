"""The look checks every option of every role for all hosts; the plays after it do not do so again.

Ansible's own check of a role's arguments is for those who use the role in a playbook of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import documents

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"
LOOKS = ("preflight.yml", "site.yml", "closet.inference.preflight")


def entries(found: Any) -> Iterator[dict[str, Any]]:
    """Every play and task of a file, in its order, those in blocks too."""
    for entry in found:
        yield entry
        for name in ("tasks", "block", "rescue", "always"):
            yield from entries(entry.get(name, []))


def used(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """What a file imports and includes, in its order: what it is called, and its arguments."""
    found: list[tuple[str, dict[str, Any]]] = []
    for entry in entries(documents.read(path)):
        if "ansible.builtin.import_playbook" in entry:
            found.append((entry["ansible.builtin.import_playbook"], {}))
        for how in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            if how in entry:
                found.append((entry[how]["name"], entry[how]))
    return found


def has_options(role: str, entry_point: str) -> bool:
    specs = ROOT / "roles" / role.rpartition(".")[2] / "meta/argument_specs.yml"
    return specs.exists() and entry_point in documents.read(specs)["argument_specs"]


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.rglob("*.yml")), ids=lambda path: path.stem)
def test_no_role_checks_again_what_the_look_has_checked(path: Path) -> None:
    for role, arguments in used(path):
        if arguments and has_options(role, arguments.get("tasks_from", "main")):
            assert arguments.get("rolespec_validate") is False, f"{path.name}: {role}"


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yml")), ids=lambda path: path.stem)
def test_a_playbook_looks_before_it_uses_a_role(path: Path) -> None:
    if path.name in ("closet.yml", "clients.yml"):
        path = PLAYBOOKS / "site.yml"  # which is what they are parts of
    looks_or_roles = used(path)
    assert not looks_or_roles or looks_or_roles[0][0] in LOOKS

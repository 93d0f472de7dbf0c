"""upgrade.yml serves by the tasks of site.yml, on the way there and on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit import documents

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def tasks(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every task, those in plays, blocks and rescues too."""
    for entry in entries:
        inside = [entry.get(name, []) for name in ("tasks", "block", "rescue")]
        if not any(inside):
            yield entry
        for each in inside:
            yield from tasks(each)


def serving(name: str) -> list[dict[str, Any]]:
    """What a file gives to the tasks that serve, one entry for each time it uses them."""
    found = []
    for task in tasks(documents.read(PLAYBOOKS / name)):
        for how in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks"):
            if Path(task.get(how, "")).name == "serve.yml":
                found.append(task["vars"])
    return found


def test_an_upgrade_serves_as_a_plain_run_does() -> None:
    assert serving("upgrade.yml") == serving("closet.yml") == serving("tasks/replace_keys.yml")


def test_the_way_back_differs_in_the_release_alone() -> None:
    (there,) = serving("upgrade.yml")
    assert serving("tasks/upgrade_rollback.yml") == [there | {"serve_previous": True}]


def test_nothing_but_those_tasks_starts_omlx() -> None:
    files = ("upgrade.yml", "closet.yml", "tasks/rollback.yml", "tasks/upgrade_rollback.yml")
    for name in files:
        for task in tasks(documents.read(PLAYBOOKS / name)):
            role = task.get("ansible.builtin.import_role", {})
            assert role.get("tasks_from") != "serve", f"{name} wires a backend by itself"

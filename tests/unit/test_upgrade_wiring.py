"""upgrade.yml serves exactly what site.yml serves: only the way back is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def wired(playbook: str) -> dict[tuple[str, str], Any]:
    """Each role that a playbook imports and runs, with the variables it gets."""
    found = {}
    for play in yaml.safe_load((PLAYBOOKS / playbook).read_text()):
        for task in play.get("tasks", []):
            role = task.get("ansible.builtin.import_role")
            if role and task.get("when") is not False:
                key = (role["name"].rpartition(".")[2], role.get("tasks_from", "main"))
                found[key] = task.get("vars", {})
    return found


def test_an_upgrade_serves_with_the_variables_of_a_plain_run() -> None:
    upgrade, closet = wired("upgrade.yml"), wired("closet.yml")
    assert upgrade["omlx", "upgrade"] == closet["omlx", "serve"]
    assert upgrade["omlx", "install"] == closet["omlx", "install"]
    assert upgrade["models", "main"] == closet["models", "main"]


def test_stop_asks_at_the_port_that_a_plain_run_serves_at() -> None:
    stop = wired("stop.yml")["omlx", "stop"]
    serve = wired("closet.yml")["omlx", "serve"]
    assert {name: serve[name] for name in stop} == stop

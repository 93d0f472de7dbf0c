# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role writes on a host, made by Ansible's own Templar and our own action plugin.

A role has its defaults, its variables and what its tasks add, as in a run. Values that a test
gives are plain text, as facts and `!unsafe` values are: Ansible fills no template in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.closet.inference.plugins.action.managed_files import ActionModule
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    plain,
)

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
FILES, JOB = "closet.inference.managed_files", "closet.inference.launchd_job"
IMPORTS = ("ansible.builtin.import_role", "ansible.builtin.include_role")
DAEMONS = ("gateway", "mlx_lm", "ollama", "omlx")

# What tasks have registered before.
REGISTERED: dict[str, Any] = {
    **{f"{role}_files": {"digest": "d"} for role in ("__firewall", "__power", "daemon")},
    "__firewall_check": {"rc": 0},
    "__omlx_settings_result": {"digest": "d", "restart_needed": False},
}
FACTS: dict[str, Any] = {
    **plain(HostFacts(kernel="Darwin", macos="26.5.1", memory_mb=131072)),
    "user": "admin",
    "uid": 501,
    "group": "staff",
    "gid": 20,
    "home": "/Users/admin",
    "account": "svc",
    "account_uid": 502,
    "account_group": "staff",
    "account_gid": 20,
    "account_home": "/Users/svc",
    "root_group": "wheel",
    "battery": True,
}


@cache
def _yaml(path: Path) -> Any:
    """A file of the collection; its text is trusted as a template, as in a run."""
    return DataLoader().load_from_file(str(path), trusted_as_template=True)


def _variables(role: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((ROLES / role / kind).rglob("*.yml")):
        found.update(_yaml(path) or {})
    return found


def _tasks(role: str) -> Iterator[dict[str, Any]]:
    """The tasks of a role, and those of the role _daemon that it imports, filled by it."""
    for path in sorted((ROLES / role / "tasks").glob("*.yml")):
        for task in _yaml(path) or []:
            yield task
            given: dict[str, Any] = next((task[word] for word in IMPORTS if word in task), {})
            if str(given.get("name", "")).endswith("._daemon"):
                for inner in _yaml(ROLES / "_daemon/tasks" / f"{given['tasks_from']}.yml") or []:
                    yield {**inner, "vars": {**inner.get("vars", {}), **task.get("vars", {})}}


class Role:
    """A role on one host; `behind` names the role that runs the gateway."""

    def __init__(self, name: str, *, facts: Mapping[str, Any] | None = None, **values: Any) -> None:
        self.name = name
        behind = values.pop("behind", None)
        self.folders = [str(ROLES / role) for role in (name, behind) if role]
        shared = ["_daemon"] if name in DAEMONS else []
        self.folders += [str(ROLES / role) for role in shared]
        layers = [_variables(role, "defaults") for role in (*shared, behind, name) if role]
        layers += [_variables(role, "vars") for role in (*shared, behind, name) if role]
        layers += [_vars_of_import(behind, name)] if behind else []
        if name in ("mlx_lm", "ollama"):  # they run on its Python, and let it finish
            layers = [_variables("gateway", "defaults"), _variables("gateway", "vars"), *layers]
            self.folders.append(str(ROLES / "gateway"))
        self.variables: dict[str, Any] = {
            "inventory_hostname": "attic",
            "inventory_hostname_short": "attic",
            "inventory_dir": "/nonexistent",
            "role_path": self.folders[0],
            "ansible_search_path": self.folders,
            "preflight_facts": {**FACTS, **(facts or {})},
            **REGISTERED,
        }
        for layer in layers:
            self.variables.update(layer)
        self.variables.update(values)

    def value(self, told: Any, **more: Any) -> Any:
        """Anything of a task, filled."""
        return self._templar(more).template(told)

    def files(self, end: str = "") -> dict[str, Any]:
        """Every file that a task of the role writes, by path, as the module is given it."""
        made: dict[str, Any] = {}
        for task in _tasks(self.name):
            if FILES in task:
                more = task.get("vars", {})
                for entry in self.value(task[FILES]["files"], **more):
                    if entry["path"].endswith(end):
                        made[entry["path"]] = self._ready(entry, more)
        return made

    def text(self, end: str) -> str:
        """The text of the one file whose path ends so."""
        [found] = self.files(f"/{end}").values()
        return str(found["content"])

    def template(self, name: str) -> str:
        """A template that a variable or a file of another role is made of."""
        entry = {"path": name, "template": name}
        return str(self._ready(entry, {})["content"])

    def jobs(self) -> dict[str, Any]:
        """The plist of every job that a task of the role defines, by label."""
        made = {}
        for task in _tasks(self.name):
            given = self.value(task[JOB], **task.get("vars", {})) if JOB in task else {}
            for job in given.get("jobs", [given]):
                if job.get("plist"):
                    made[job["label"]] = {"Label": job["label"], **job["plist"]}
        return made

    def _templar(self, more: Mapping[str, Any]) -> Templar:
        return Templar(DataLoader(), variables={**self.variables, **more})

    def _ready(self, entry: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        """One entry as our action plugin makes it ready, but for what it keeps aside."""
        action = ActionModule.__new__(ActionModule)
        action._loader = DataLoader()
        action._templar = self._templar(more)
        action._task = SimpleNamespace(get_search_path=lambda: self.folders)
        open_entry = {key: value for key, value in entry.items() if key != "secret"}
        return action._ready(open_entry, {**self.variables, **more}, [])


def _vars_of_import(role: str, imported: str) -> dict[str, Any]:
    """What a role's tasks give to another role that they import."""
    found: dict[str, Any] = {}
    for task in _tasks(role):
        for word in IMPORTS:
            if str(task.get(word, {}).get("name", "")).endswith(f".{imported}"):
                found.update(task.get("vars", {}))
    return found

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the templates of managed_files on the controller and keeps secrets out of its output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.closet.inference.plugins.plugin_utils.light_module import (
    Light,
    LightModule,
)

MODULE = "closet.inference.managed_files"
TEXTS = ("content", "block", "line")


class ActionModule(LightModule, ActionBase):
    """One module run for all files of a task."""

    LIGHT = Light("managed_files", often=True)

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Render, take the secrets aside, run the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = dict(self._task.args)
        if "secret_contents" in given:
            raise AnsibleActionFail("secret_contents is not for tasks; use secret: true on a file")
        secrets: list[str] = []
        files = given.get("files")
        if isinstance(files, list):
            given["files"] = [self._ready(entry, task_vars or {}, secrets) for entry in files]
        if secrets:
            given["secret_contents"] = secrets
        result.update(
            self._execute_module(module_name=MODULE, module_args=given, task_vars=task_vars)
        )
        return result

    def _ready(self, entry: Any, task_vars: Mapping[str, Any], secrets: list[str]) -> Any:
        """One entry as the module takes it; what is malformed is left for the module to say."""
        if not isinstance(entry, Mapping):
            return entry
        ready = dict(entry)
        self._check_types(ready)
        if ready.get("template") is not None:
            if ready.get("content") is not None:
                raise AnsibleActionFail(f"{ready.get('path')}: give template or content, not both")
            ready["content"] = self._rendered(ready.pop("template"), ready, task_vars)
        if ready.get("secret"):
            for kind in TEXTS:
                if ready.get(kind) is not None:
                    secrets.append(ready[kind])
                    ready[kind] = str(len(secrets) - 1)
            if ready.get("merge") is not None:
                secrets.append(json.dumps(ready["merge"]))
                ready["merge"] = str(len(secrets) - 1)
        return ready

    def _check_types(self, entry: Mapping[str, Any]) -> None:
        """The module could not tell: an argument spec turns numbers and dictionaries into text."""
        path = entry.get("path")
        mode = entry.get("mode")
        if mode is not None and not isinstance(mode, str):
            raise AnsibleActionFail(
                f"{path}: mode {mode!r} is not a quoted octal number such as '0644' (unquoted, "
                "YAML makes another number of it)"
            )
        for kind in TEXTS:
            value = entry.get(kind)
            if value is not None and not isinstance(value, str):
                raise AnsibleActionFail(
                    f"{path}: {kind} is not text but {type(value).__name__}; use to_nice_json or "
                    "another filter that makes text of it"
                )

    def _rendered(self, name: Any, entry: Mapping[str, Any], task_vars: Mapping[str, Any]) -> str:
        """The text of a template, the way ansible.builtin.template makes it."""
        try:
            source = self._find_needle("templates", name)
            text = trust_as_template(self._loader.get_text_file_contents(source))
        except AnsibleError as error:
            raise AnsibleActionFail(f"{entry.get('path')}: {error}") from error
        folders = [
            *task_vars.get("ansible_search_path", []),
            self._loader.get_basedir(),
            str(Path(source).parent),
        ]
        known = {
            **task_vars,
            "template_path": name,
            "template_fullpath": source,
            "template_destpath": entry.get("path"),
        }
        known.setdefault("ansible_managed", "Ansible managed")
        templar = self._templar.copy_with_new_env(
            searchpath=[
                at for folder in folders for at in (str(Path(folder, "templates")), folder)
            ],
            available_variables=known,
        )
        rendered = templar.template(
            text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": False}
        )
        return "" if rendered is None else str(rendered)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of launchd_job: dates and bytes of a plist survive the way to the host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils.launchd.dates import wrapped
from ansible_collections.closet.inference.plugins.plugin_utils.light_module import (
    Light,
    LightModule,
)


class ActionModule(LightModule, ActionBase):
    """Runs the module with a plist that JSON can carry."""

    LIGHT = Light("launchd_job", often=True)

    supports_raw_params = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Any:
        """Hand the arguments on; the module checks them."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if "plist" in arguments:
            arguments["plist"] = wrapped(arguments["plist"])
        if isinstance(arguments.get("jobs"), list):
            arguments["jobs"] = [
                {**job, "plist": wrapped(job["plist"])}
                if isinstance(job, dict) and "plist" in job
                else job
                for job in arguments["jobs"]
            ]
        return self._execute_module(
            module_name="closet.inference.launchd_job",
            module_args=arguments,
            task_vars=task_vars,
        )

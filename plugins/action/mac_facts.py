# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Mac with one shell command, which works before Python does.

/usr/bin/python3 of a fresh Mac is a stub that opens a dialog, so the first look must not need it;
it also is the cheapest look there is: one ssh exec, no module run.
Documentation: plugins/modules/mac_facts.py.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils.house import mac


class ActionModule(ActionBase):
    """Gathers, judges, changes nothing."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(
        ("minimum_macos", "offer", "needs_npm", "shape", "on_battery", "account")
    )

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the facts and `problems`, one sentence for each reason this Mac cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        name = str(variables["inventory_hostname"])
        address = str(variables.get("ansible_host", name))
        try:
            account = str(self._task.args.get("account") or "")
            look = mac.look_at(account)
            done = self._low_level_execute_command(look, sudoable=False, executable="/bin/sh")
        except AnsibleConnectionFailure as err:
            sentence = mac.unreachable(name, address, str(err.message))
            result.update(unreachable=True, msg=sentence)
            return result
        facts = mac.parse(done["stdout"])
        has_password = bool(
            variables.get("ansible_become_password")
            or variables.get("ansible_become_pass")
            or self._play_context.become_pass
        )
        problems = mac.problems(
            name,
            facts,
            str(self._task.args.get("minimum_macos", "14")),
            has_password,
            bool(self._task.args.get("needs_npm", False)),
        )
        offer = self._task.args.get("offer") or {}
        if offer and facts.memory_mb is not None:
            weights = {model["name"]: model["size_gb"] for model in offer["models"]}
            problems += filter(
                None, [mac.too_small(name, facts.memory_mb, offer["profile"], weights)]
            )
        if offer:
            shape = str(self._task.args.get("shape", "appliance"))
            problems += filter(
                None,
                [mac.laptop_closet(name, facts, shape), mac.no_account(name, facts, account)],
            )
            on_battery = str(self._task.args.get("on_battery", "nothing"))
            result["warnings"] = mac.remarks(name, facts, on_battery)
        result.update(changed=False, problems=problems, **mac.plain(facts))
        result["account"] = account or facts.user
        if not account:
            result.update(account_group=facts.group, account_home=facts.home)
        return result

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a person for the name of the closet that the LAN may reach, or find it on the command line.

Variables do not count here, since an inventory, a file or a lookup of the environment can set any
of them. What counts is a word of this command itself, or one that was typed at its terminal.
Documentation: plugins/modules/exposure_consent.py.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail, AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.closet.inference.plugins.module_utils.consent import (
    Consent,
    on_command_line,
)
from ansible_collections.closet.inference.plugins.plugin_utils import this_run

VARIABLE = "confirm"


class ActionModule(ActionBase):
    """Runs on the controller alone and changes nothing; the record is for a task to write."""

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("host", "addresses", "url"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the record of the consent, or fail."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        host, url = str(args["host"]), str(args["url"])
        addresses = tuple(str(address) for address in args["addresses"])
        given = on_command_line(VARIABLE, context.CLIARGS.get("extra_vars") or ())
        if self._task.check_mode and given is None:
            result.update(changed=False, how="", text="")
            return result
        how = "typed" if given is None else "command line"
        if given is None:
            variables = task_vars or {}
            closets = len((variables.get("groups") or {}).get("closet", ()))
            say = ("-e", f"{VARIABLE}={host}")
            command = this_run.invocation().expose(host, closets, "lan", *say)
            given = self._typed((host, url, addresses), VARIABLE in variables, command)
        if given != host:
            raise AnsibleActionFail(
                f"'{given}' is not the name of the closet that the LAN may reach, which is "
                f"{host}. Nothing was changed"
            )
        at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        by = f"{getpass.getuser()}@{socket.gethostname()}"
        record = Consent(host=host, by=by, at=at, how=how, addresses=addresses)
        result.update(changed=False, how=how, text=record.text())
        return result

    def _typed(self, closet: tuple[str, str, Iterable[str]], elsewhere: bool, command: str) -> str:
        """What a person types at the terminal; a pipe is none.

        `closet`: name, URL, addresses. `elsewhere`: the variable has a value that does not count.
        """
        host, url, addresses = closet
        prompt = (
            f"{host} will serve its models at {url} ({', '.join(addresses)}) to everyone who "
            "reaches that and has a key.\nWhat is said to it crosses the LAN in clear.\n"
            f"Type the name of the closet to confirm: "
        )
        try:
            return bytes(Display().prompt_until(prompt)).decode("utf-8", "replace").strip()
        except AnsiblePromptInterrupt:
            raise AnsibleActionFail("It was not confirmed. Nothing was changed") from None
        except AnsiblePromptNoninteractive:
            ignored = (
                f"{VARIABLE} is set by a file or the inventory, which does not count. "
                if elsewhere
                else ""
            )
            raise AnsibleActionFail(
                f"{ignored}The name of the closet cannot be typed here, since this is not a "
                f"terminal. Run it in one, or say it in the command: `{command}`. Nothing was "
                "changed"
            ) from None

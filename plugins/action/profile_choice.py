# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep on the controller which profile was chosen for a closet; no connection is made.

Documentation: plugins/modules/profile_choice.py.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils.filediff import content_diff
from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    profile_choice,
)


class ActionModule(ActionBase):
    """Writes one small file beside the inventory."""

    _supports_check_mode = True
    _supports_diff = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("profile", "inventory_profile"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return whether the file changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        args = self._task.args
        wanted = profile_choice.Choice(str(args["profile"]), str(args["inventory_profile"]))
        path = profile_choice.path_of(
            str(variables["inventory_dir"]), str(variables["inventory_hostname"])
        )
        before = profile_choice.read(path)
        result.update(changed=before != wanted, path=str(path))
        if before != wanted:
            text = before.text().encode() if before else None
            result["diff"] = content_diff(str(path), text, wanted.text().encode(), secret=False)
        if before == wanted or self._task.check_mode:
            return result
        try:
            path.parent.mkdir(mode=0o755, exist_ok=True)
            write_atomic(path, wanted.text().encode(), anywhere=True)
        except OSError as error:
            result.update(
                failed=True,
                changed=False,
                msg=f"{path} could not be written ({error.strerror}): nothing was switched. Make "
                "the folder of the inventory writable, then run again",
            )
        return result

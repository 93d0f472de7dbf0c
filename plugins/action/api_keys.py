# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, replace and put aside the keys of one closet, on the controller.

Documentation: plugins/modules/api_keys.py.
"""

from __future__ import annotations

import errno
import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.plugin_utils.secrets import keys
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore

PAST = {"create": "created", "rotate": "rotated", "retire": "retired"}


class ActionModule(ActionBase):
    """Runs on the controller alone; its result holds names and no key."""

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("closet", "folder", "laptops", "rotate", "forget_revoked"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Plan against the store, then do it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = self._task.args
        closet = str(args["closet"])
        store = KeyStore(Path(str(args["folder"])), closet)
        check = self._task.check_mode
        if args.get("forget_revoked"):
            forgotten = self._forgotten(store, check)
            result.update(changed=forgotten > 0, forgotten=forgotten)
            return result
        laptops = [str(name) for name in args.get("laptops") or []]
        given = keys.given((task_vars or {})["hostvars"], closet, laptops)
        try:
            steps = self._steps(store, laptops, given, str(args.get("rotate") or ""))
            for step in [] if check else steps:
                store.apply(step)
        except keys.KeysRefusedError as error:
            raise AnsibleActionFail(f"{closet}: {error}. No key was changed.") from error
        except OSError as error:
            raise AnsibleActionFail(_not_changed(store, error)) from error
        names = {
            past: [step.name for step in steps if step.verb == verb] for verb, past in PAST.items()
        }
        result.update(changed=bool(steps), **names)
        if steps:
            lines = [f"{PAST[step.verb]}: the key of {step.name}\n" for step in steps]
            result["diff"] = {
                "before": "",
                "after": "".join(lines),
                "after_header": f"keys of {closet}",
            }
        return result

    def _forgotten(self, store: KeyStore, check: bool) -> int:
        try:
            return len(store.revoked()) if check else store.forget()
        except keys.KeysRefusedError as error:
            raise AnsibleActionFail(f"{store.closet}: {error}") from error
        except OSError as error:
            raise AnsibleActionFail(_not_changed(store, error)) from error

    def _steps(
        self, store: KeyStore, laptops: list[str], given: dict[str, str], rotate: str
    ) -> list[keys.Step]:
        wanted = [keys.MAIN, *laptops]
        for name in laptops:
            store.path(name)  # raises for a name that cannot be a file's
        chosen = keys.names_to_rotate(rotate, wanted, given)
        return keys.plan(wanted, given, store.stored(), chosen)


def _not_changed(store: KeyStore, error: OSError) -> str:
    """Which path, what happened, and what to run; what was done so far is kept."""
    path = str(error.filename or store.folder)
    reason = error.strerror or str(error)
    remedy = {
        errno.EROFS: "mount the disk of the inventory for writing",
        errno.ENOSPC: "make room on the disk of the inventory",
    }.get(
        error.errno or 0,
        f"take the folder over with `sudo chown -R $USER {shlex.quote(str(store.folder))}`",
    )
    return (
        f"{store.closet}: {path} could not be changed ({reason}): {remedy}, then run this again. "
        "What was done so far is kept"
    )

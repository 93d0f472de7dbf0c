# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run of site.yml: remember the hosts that have converged.

plugins/plugin_utils/converged has the parts.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: converged
type: notification
short_description: Remember the hosts on which a run of site.yml changed nothing
version_added: "0.1.0"
description:
  - Records, on the controller, what a run of site.yml was made of and what it saw on each host on
    which it changed nothing. The next run compares both in its probe, and leaves out the tasks of a
    host where neither has changed. docs/architecture.md explains it.
  - The records are in C(~/.cache/closet.inference/converged). C(ansible-playbook --flush-cache)
    ignores them for one run.
  - Without this callback every run is complete.
author:
  - closet.inference contributors (@closet-inference)
requirements:
  - C(callbacks_enabled = closet.inference.converged) in the configuration of Ansible.
"""

from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import notes, records, run


class CallbackModule(CallbackBase):
    """Watches the tasks, and writes the records when the run has ended."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "closet.inference.converged"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opaque: set[str] = set()
        notes.begin()

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task that no probe can observe keeps its host from being left out."""
        task = result.task
        role = task._role.get_name() if task._role else ""
        if not run.is_transparent(task.resolved_action or task.action, role):
            self._opaque.add(result.host.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the records of this run's hosts."""
        found = run.ended(notes.end())
        if this_run.name_of_playbook() != "site":
            return
        left_out = sorted(host for host, one in found.items() if one.left_out)
        if left_out:
            self._display.display(f"Nothing to do on {', '.join(left_out)}.")
        if this_run.is_partial() or context.CLIARGS.get("check"):
            return
        quiet = {host for host in found if host not in self._opaque and _is_quiet(stats, host)}
        try:
            for host, record in run.remembered(found, quiet).items():
                records.write(Path(found[host].folder), host, record)
        except OSError as error:
            self._display.warning(f"The next run will be a complete one: {error}")


def _is_quiet(stats: Any, host: str) -> bool:
    """Whether nothing changed, failed or was rescued on a host."""
    counts = stats.summarize(host)
    return not any(count for name, count in counts.items() if name not in ("ok", "skipped"))

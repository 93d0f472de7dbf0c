# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes when each task began and what went over ssh for it, one JSON object per line.

For the benchmarks alone: nothing else has this folder in its callback path. The file's name comes
in CLOSET_SPANS. Times are CLOCK_MONOTONIC, one clock for all processes of this machine.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import connection_loader

DOCUMENTATION = """
name: closet_spans
type: aggregate
short_description: Records tasks and ssh commands for the benchmarks
description: Appends one JSON object per event to the file named in CLOSET_SPANS.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Sees the plays and, through the ssh connection that workers inherit, every command."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "closet_spans"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(os.environ["CLOSET_SPANS"], flags, 0o600)
        self._watch(connection_loader.get("ssh", class_only=True))

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Everything before this is start: imports, inventory, parsing."""
        self._write("playbook")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins; the one before it has ended."""
        self._write("task", name=task.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The last task has ended."""
        self._write("stats")

    def _watch(self, connection: Any) -> None:
        """Record each exec_command; with pipelining a module is what comes on standard input."""
        original = connection.exec_command

        def exec_command(
            this: Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True
        ) -> Any:
            start = time.monotonic()
            try:
                return original(this, cmd, in_data=in_data, sudoable=sudoable)
            finally:
                self._write(
                    "exec",
                    host=this.get_option("host"),
                    seconds=time.monotonic() - start,
                    module=bool(in_data),
                )

        connection.exec_command = exec_command

    def _write(self, event: str, **more: Any) -> None:
        # one write, so that lines of parallel workers do not mix
        line = json.dumps({"event": event, "at": time.monotonic(), **more})
        os.write(self._file, f"{line}\n".encode())

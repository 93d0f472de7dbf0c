# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs omlx_model so that a playbook shows how far each host is while it fetches.

The module is run once as any other is. Only when it says that bytes are missing does it run again,
as a background job of the host by ansible-core's own async_wrapper, and its progress record is
read over the connection until the job has ended.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.json import Direction, get_module_decoder
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.closet.inference.plugins.module_utils.models.progress import (
    Record,
    describe_record,
    in_units,
    parse_record,
)
from ansible_collections.closet.inference.plugins.plugin_utils.light_module import (
    Light,
    LightModule,
)
from ansible_collections.closet.inference.plugins.plugin_utils.pull_progress import ProgressLine

MODULE = "closet.inference.omlx_model"
JOB_LIMIT_S = 7 * 24 * 3600
POLL_S = 1.0
OUT_OF_SIGHT_S = 600.0
POLLS_GONE = 3  # in a row without a process and without a result: there will be none
MARK = "--closet--"
# "legacy" is the profile of all Python modules, in ansible-core 2.19 to 2.21
RESULT_DECODER = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)

# This file is first read by the process that owns the terminal; the workers have none.
ON_TERMINAL = sys.stdout.isatty()
display = Display()


@dataclass(frozen=True)
class Poll:
    """What one poll saw of the job; `alive` is whether its processes are there."""

    record: Record | None
    result: dict[str, Any] | None
    alive: bool


@dataclass(frozen=True)
class Job:
    """A background job: its name in process lists, and its two files on the host."""

    host: str
    pattern: str
    result_path: str
    record_path: str


class ActionModule(LightModule, ActionBase):
    """Plan in the foreground, fetch in the background, show what happens."""

    LIGHT = Light("omlx_model")

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        args = dict(self._task.args)
        host = str(variables.get("inventory_hostname", "host"))
        if self._task.async_val:  # the playbook wants its own background job
            native = self._connection.has_native_async
            result.update(self._module(args, variables, wrap_async=not native))
            return result
        show = self._shown(args)
        planning = show and not self._task.check_mode
        first = self._module({**args, "fetch": False} if planning else args, variables)
        if show and self._task.check_mode:
            self._show_plan(host, first, "would pull")
        if not planning or first.get("failed") or not first.get("pending"):
            result.update(first)
            return result
        self._show_plan(host, first, "pulls")
        result.update(self._in_background(host, args, variables))
        return result

    def _shown(self, args: dict[str, Any]) -> bool:
        """`progress: false` and a caller's own `fetch: false` keep this plugin out of the way."""
        texts = [str(args.get(name, True)).lower() for name in ("progress", "fetch")]
        return not any(text in {"false", "no", "off", "0", "n", "f"} for text in texts)

    def _module(
        self, args: dict[str, Any], variables: dict[str, Any], wrap_async: bool = False
    ) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name=MODULE, module_args=args, task_vars=variables, wrap_async=wrap_async
        )
        return done

    def _show_plan(self, host: str, first: dict[str, Any], verb: str) -> None:
        """One line per model of which something is missing."""
        for model in first.get("models") or ():
            if model["state"] == "would_pull" or (first.get("pending") and model["missing_bytes"]):
                missing, size = model["missing_bytes"], model["bytes"]
                what = "size unknown" if missing is None else f"{in_units(missing)}"
                whole = f" of {in_units(size)}" if size and missing != size else ""
                display.display(f"{host}: {verb} {model['name']}, {what}{whole}")

    def _in_background(
        self, host: str, args: dict[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            with self._as_async():
                job = self._module(args, variables, wrap_async=True)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:  # files that one account cannot hand to another, mostly
            reason = (str(error).splitlines() or [""])[0]
            display.warning(f"{host}: the pull is not shown, it runs in the foreground: {reason}")
            return self._module(args, variables)
        if job.get("failed") or not job.get("results_file"):
            return job
        running = Job(
            host,
            process_pattern(str(job["ansible_job_id"])),
            str(job["results_file"]),
            self._record_path(args),
        )
        teller = ProgressLine(host, ON_TERMINAL, display.columns, constants.DEFAULT_LOCAL_TMP)
        try:
            return self._follow(running, teller)
        except BaseException:  # a task timeout and Ctrl-C end the pull too
            self._end(running)
            raise
        finally:
            self._say(teller.close())

    @contextmanager
    def _as_async(self) -> Iterator[None]:
        """ansible-core takes the limit of a background job from the task."""
        before = self._task.async_val
        self._task.async_val = JOB_LIMIT_S
        try:
            yield
        finally:
            self._task.async_val = before

    def _record_path(self, args: dict[str, Any]) -> str:
        if args.get("progress_path"):
            return str(args["progress_path"])
        return f"{str(args['store']).rstrip('/')}/.closet.progress.json"

    def _follow(self, job: Job, teller: ProgressLine) -> dict[str, Any]:
        """Until the job has left its result, or has ended without one."""
        seen_at = time.monotonic()
        record: Record | None = None
        gone = 0
        while True:
            time.sleep(POLL_S)
            now = time.monotonic()
            try:
                poll = self._poll(job)
            except AnsibleConnectionFailure as error:
                if now - seen_at > OUT_OF_SIGHT_S:
                    raise AnsibleError(lost(job.host)) from error
                continue
            seen_at = now
            record = poll.record or record
            gone = 0 if poll.alive else gone + 1
            if poll.result is not None or gone >= POLLS_GONE:
                self._low_level_execute_command(f"rm -f {shlex.quote(job.result_path)}")
            if poll.result is not None:
                return ended(poll.result, record)
            if gone >= POLLS_GONE:
                return {"failed": True, "msg": without_result(record)}
            self._say(teller.shown(describe_record(poll.record), now))

    def _poll(self, job: Job) -> Poll:
        """One command for everything, since each costs a round trip."""
        words = [
            f"cat {shlex.quote(job.record_path)} 2>/dev/null",
            f"echo {MARK}",
            f"pgrep -f {shlex.quote(job.pattern)} >/dev/null && echo alive",
            f"echo {MARK}",
            f"cat {shlex.quote(job.result_path)} 2>/dev/null",
        ]
        done = self._low_level_execute_command("; ".join(words))
        parts = str(done.get("stdout", "")).split(MARK)
        if len(parts) != 3:
            return Poll(None, None, alive=True)
        return Poll(parse_record(parts[0]), read_result(parts[2]), alive="alive" in parts[1])

    def _say(self, words: tuple[str, bool] | None) -> None:
        if words is not None:
            text, newline = words
            display.display(text, newline=newline, screen_only=not newline)

    def _end(self, job: Job) -> None:
        """The wrapper's children are the module; what has arrived stays for the next run."""
        command = f"for p in $(pgrep -f {shlex.quote(job.pattern)}); do pkill -TERM -P $p; done"
        try:
            self._low_level_execute_command(f"{command}; rm -f {shlex.quote(job.result_path)}")
        except AnsibleError as error:
            display.warning(f"the pull on {job.host} could not be told to end: {error}")


def process_pattern(job_id: str) -> str:
    """What `pgrep -f` finds the wrapper by, and not the shell that looks for it.

    That shell's own command line holds this pattern and the path of the job's result, so neither
    may match: the backslash keeps the one from it, the wrapper's name the other.
    """
    return rf"async_wrapper\.py {job_id.partition('.')[0]} "


def lost(host: str) -> str:
    return (
        f"{host} has not answered for {OUT_OF_SIGHT_S / 60:.0f} minutes. If it runs, its pull goes "
        "on; run again to see how far it is."
    )


def without_result(record: Record | None) -> str:
    far = describe_record(record)
    return (
        f"the pull ended without a result{f' ({far})' if far else ''}: the host was restarted, or "
        "the process was ended. Run again; it goes on from the byte it had reached."
    )


def ended(result: dict[str, Any], record: Record | None) -> dict[str, Any]:
    """The module's result; async_wrapper puts a traceback there when the module left none."""
    if result.get("failed") and "data" in result and not result["data"]:
        stderr = str(result.get("stderr") or "").strip().splitlines()[-1:]
        return {"failed": True, "msg": " ".join([without_result(record), *stderr])}
    return result


def read_result(text: str) -> dict[str, Any] | None:
    """The module's result, once the job file holds it.

    Warnings and errors in it are objects of ansible-core, and decoded as its own
    `_execute_module` does; as plain JSON they would be shown as Python dictionaries.
    """
    try:
        found = json.loads(text, cls=RESULT_DECODER)
    except ValueError:
        return None
    return None if not isinstance(found, dict) or "started" in found else found

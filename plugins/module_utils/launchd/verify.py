# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observes a job after a step, until the result of the step is certain."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.explain import (
    exit_hint,
    log_tail,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    JobError,
    Presence,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout

_PAUSE_S = 0.2
_SETTLE_PAUSE_S = 0.5
_KICK_AFTER_S = 1.0
"""How long a job that launchd should start by itself may sit idle before it is kicked: after a good
bootstrap some sit at "not running, never exited" in spite of KeepAlive (openbase#15, 26.5.1)."""


class Watch:
    """One job, from the moment after it was started; `runs_before` is its run counter then."""

    def __init__(
        self, launchctl: Launchctl, want: Want, plist: Mapping[str, Any], runs_before: int
    ) -> None:
        self._launchctl = launchctl
        self._runner = launchctl.runner
        self._want = want
        self._plist = plist
        self._runs_before = runs_before
        self._began = self._runner.now()
        self._kicked = False
        self._first: Printout | None = None
        self._seen_at = self._began

    def await_process(self) -> None:
        """Until a process exists; raises JobError when it ended already or never came."""
        while True:
            job = self._look()
            if job.pid is not None:
                self._first, self._seen_at = job, self._runner.now()
                return
            if self._ran(job):
                raise JobError(self._obituary(job, "it started, but ended at once"))
            if self._elapsed() > self._want.timeout_s + (job.throttle or 0):
                raise JobError(self._obituary(job, "launchd did not start it"))
            self._kick_if_idle(job)
            self._runner.sleep(_PAUSE_S)

    def settle(self) -> Printout:
        """Until it has lived for the settle time as the same process; raises JobError otherwise."""
        first = self._first
        if first is None:
            raise AssertionError("await_process comes first")
        until = self._seen_at + self._want.settle_s
        job = first
        while self._runner.now() < until:
            self._runner.sleep(min(_SETTLE_PAUSE_S, until - self._runner.now()))
            job = self._look()
            if job.pid != first.pid or job.runs != first.runs:
                lived = self._runner.now() - self._seen_at
                raise JobError(self._obituary(job, f"it ended again within {lived:.1f} s"))
        return job

    def await_completion(self) -> Printout:
        """Until it has run and ended with 0; raises JobError otherwise."""
        while True:
            job = self._look()
            if self._ran(job) and job.pid is None:
                if job.last_exit != 0:
                    raise JobError(self._obituary(job, "it did not complete"))
                return job
            if self._elapsed() > self._want.timeout_s:
                what = "is still running" if job.pid else "has not run"
                limit = f"{self._want.timeout_s:g} s"
                raise JobError(self._obituary(job, f"it {what} after {limit}"))
            self._kick_if_idle(job)
            self._runner.sleep(_PAUSE_S)

    def _look(self) -> Printout:
        presence, job, result = self._launchctl.probe(self._want.target)
        if presence is Presence.LOADED and job is not None:
            return job
        if presence is Presence.UNKNOWN:
            said = result.stderr.strip() or f"exit code {result.rc}"
            raise JobError(f"launchctl can no longer read {self._want.target}: {said}")
        raise JobError(
            f"{self._want.target} was loaded, but launchd has dropped it since. "
            f"Next: `sudo launchctl bootstrap {self._want.domain.name} "
            f"{shlex.quote(self._want.path)}`"
        )

    def _ran(self, job: Printout) -> bool:
        return (job.runs or 0) > self._runs_before

    def _elapsed(self) -> float:
        return self._runner.now() - self._began

    def _kick_if_idle(self, job: Printout) -> None:
        idle = job.state == "not running" and not self._ran(job)
        if idle and not self._kicked and self._elapsed() >= _KICK_AFTER_S:
            self._kicked = True
            self._launchctl.kickstart(self._want.target)

    def _obituary(self, job: Printout, what: str) -> str:
        """What happened, the evidence, the end of its log, and what to run next."""
        exit_text = job.last_exit_text or "never exited"
        facts = (
            f"state: {job.state}, runs: {job.runs}, last exit: {exit_text}"
            f"{exit_hint(job.last_exit, job.last_exit_text)}"
        )
        advice = ""
        if job.last_exit == 0 and not self._want.completed:
            advice = (
                " A job that is meant to end is managed with `state: loaded` and `completed: true`."
            )
        logs = [self._plist.get("StandardErrorPath"), self._plist.get("StandardOutPath")]
        tail = log_tail([path for path in logs if path])
        if not tail:
            advice += " It keeps no log: StandardErrorPath in its plist would give it one."
        return (
            f"{self._want.target}: {what}; {facts}.{advice} "
            f"Next: `launchctl print {self._want.target}`\n{tail}"
        ).rstrip()

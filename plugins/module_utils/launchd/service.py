# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One job in launchd: loaded, started, told to end, awaited."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account, account_of
from ansible_collections.closet.inference.plugins.module_utils.launchd.drift import (
    foreign_variables,
    loaded_drift,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.explain import explain
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import (
    ALREADY_THERE,
    NO_SUCH_PROCESS,
    NO_SUCH_SERVICE,
    Launchctl,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    DEFAULT_EXIT_TIMEOUT_S,
    Have,
    JobError,
    Presence,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.plan import (
    definition,
    is_disabled,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout
from ansible_collections.closet.inference.plugins.module_utils.launchd.trust import user_of
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed

RETRIED = (5, 37)
"""What bootstrap says while the old job is still leaving; nothing else gets better by itself."""

RETRY_S = 15.0
"""A label stays in the way for up to 5 s after its process is gone (headroom#1289, 26.5.1)."""

# What bootout says when the job is gone already, or on its way (36: macOS 11 and older).
_BOOTED_OUT = (0, NO_SUCH_PROCESS, 36, 37, NO_SUCH_SERVICE)
_STOP_PAUSE_S = 0.2
_FATAL_DRIFT = {"path", "program", "arguments", "restart_on", "definition"}


class Service:
    """What a plan does with launchd. `done` and `warnings` are true also after an error."""

    def __init__(self, launchctl: Launchctl, want: Want, have: Have) -> None:
        self.done: list[Step] = []
        self.warnings: list[str] = []
        self.loaded: Printout | None = have.job
        self._launchctl = launchctl
        self._runner = launchctl.runner
        self._want = want
        self._have = have
        self._was_asked = False

    @property
    def _definition(self) -> Mapping[str, Any]:
        return definition(self._want, self._have)

    def _demand(self, result: Completed, also_fine: Sequence[int] = ()) -> None:
        if result.rc != 0 and result.rc not in also_fine:
            raise JobError(f"{self._explained(result)} {self._seen_afterwards()}".strip())

    def _explained(self, result: Completed) -> str:
        return explain(result, self._want.target, self._want.path)

    def _before_stop(self) -> None:
        """Let a running process finish first, with the rights of the job's own user.

        What comes of it is told, and keeps nothing.
        """
        want = self._want
        if self._was_asked or not want.before_stop or not self._have.running:
            return
        self._was_asked = True
        user = self._runs_as()
        runner = self._runner if user is None else self._runner.acting_as(user)
        done = runner.run(want.before_stop, want.before_stop_timeout_s)
        if done.rc == 0:
            return
        ended = "took too long" if done.timed_out else f"ended with {done.rc}"
        said = " ".join(f"{done.stdout} {done.stderr}".split())[-500:]
        self.warnings.append(
            f"before {want.target} was told to end, `{want.before_stop[0]}` {ended}"
            f"{f': {said}' if said else ''}"
        )

    def _runs_as(self) -> Account | None:
        """The user of the process that runs now; None for root, and where we are not root."""
        if os.geteuid() != 0:
            return None
        if self._want.domain.uid is not None:
            return account_of(self._want.domain.uid)
        shown = self._have.job.values.get("username") if self._have.job else None
        known = self._have.file.content or self._definition
        return user_of({"UserName": shown} if shown else known)

    def _bootout(self) -> None:
        self._before_stop()
        self._demand(self._launchctl.bootout(self._want.target), _BOOTED_OUT[1:])
        self._await_gone()

    def _exit_timeout_s(self) -> float:
        """Of the job as loaded, which is the one that has to end; 0: launchd never kills it."""
        job = self._have.job
        shown = job.exit_timeout if job else None
        return float(DEFAULT_EXIT_TIMEOUT_S if shown is None else shown)

    def _await_gone(self) -> None:
        """Until `print` says 113: bootout returns while the process still lives."""
        began, pause = self._runner.now(), 0.1
        own = self._exit_timeout_s()
        while True:
            presence, _job, result = self._launchctl.probe(self._want.target)
            elapsed = self._runner.now() - began
            if presence in (Presence.ABSENT, Presence.NO_DOMAIN):
                break
            if elapsed > own + self._want.timeout_s:
                last = "" if presence is Presence.LOADED else f" ({result.stderr.strip()})"
                raise JobError(
                    f"{self._want.target} was told to leave, but launchd still has it after "
                    f"{elapsed:.0f} s, its exit timeout is {own:.0f} s{last}. Nothing was loaded "
                    f"in its place. Next: `launchctl print {self._want.target}`"
                )
            self._runner.sleep(pause)
            pause = min(1.0, pause * 1.5)
        if self._have.running and own and elapsed >= own:
            self.warnings.append(
                f"{self._want.target} did not end within its exit timeout of {own:.0f} s after "
                f"SIGTERM, so launchd has killed it; a larger ExitTimeOut gives it more time"
            )

    def _bootstrap(self) -> None:
        result = self._load_until_there(self._want.path, self._definition)
        if result is not None and result.rc == 0:
            raise JobError(
                f"launchd took {self._want.path} without complaint, but did not keep it. "
                f"{self._seen_afterwards()} Next: `launchctl print {self._want.target}`"
            )
        if result is not None:
            raise JobError(f"{self._explained(result)} {self._seen_afterwards()}")
        self._compare_loaded()

    def _load_until_there(self, path: str, plist: Mapping[str, Any]) -> Completed | None:
        """Load `plist`, which is at `path`; returns the last failure, or None when it is there."""
        domain, target = self._want.domain, self._want.target
        deadline, pause = self._runner.now() + min(RETRY_S, self._want.timeout_s), 0.25
        cleared = False
        while True:
            result = self._launchctl.bootstrap(domain, path)
            if result.rc != 0 and result.rc not in RETRIED + ALREADY_THERE:
                return result
            _presence, self.loaded, _probe = self._launchctl.probe(target)
            fresh = result.rc == 0
            if self.loaded is not None and _is_loaded(self.loaded, plist, path, fresh):
                return None
            if self.loaded is not None and not cleared:
                cleared = True
                self._bootout()
                continue
            if self._runner.now() > deadline:
                return result
            self._runner.sleep(pause)
            pause = min(2.0, pause * 2)

    def _compare_loaded(self) -> None:
        """What launchd shows right after a load is its own way of printing; say so, once."""
        if self.loaded is None:
            return
        names = loaded_drift(self._definition, self._want.path, self.loaded)
        if names:
            foreign = ", ".join(foreign_variables(self._definition, self.loaded))
            self.warnings.append(
                f"{self._want.target} has just been loaded, but launchd prints another "
                f"{', '.join(names)} than its definition{f' ({foreign})' if foreign else ''}; the "
                f"next run will load it again. Please report this with the output of "
                f"`launchctl print {self._want.target}`"
            )

    def _kickstart(self) -> None:
        self._demand(self._launchctl.kickstart(self._want.target), also_fine=(37,))  # runs already

    def _stop(self) -> None:
        """SIGTERM and wait. If it ignores that, load it anew: launchd kills it in its own time."""
        self._before_stop()
        old = self._have.job.pid if self._have.job else None
        fine = (NO_SUCH_PROCESS,)
        self._demand(self._launchctl.terminate(self._want.target), fine)
        limit = self._runner.now() + (self._exit_timeout_s() or self._want.timeout_s)
        while self._runner.now() <= limit:
            _presence, job, _result = self._launchctl.probe(self._want.target)
            if job is None or job.pid != old:
                return
            self._runner.sleep(_STOP_PAUSE_S)
        self._bootout()
        self.done.append(Step.BOOTOUT)
        was_disabled = is_disabled(self._want, self._have) and Step.ENABLE not in self.done
        if was_disabled:
            self._demand(self._launchctl.enable(self._want.target))
        self._bootstrap()
        self.done.append(Step.BOOTSTRAP)
        if was_disabled:
            self._demand(self._launchctl.disable(self._want.target))

    def _seen_afterwards(self) -> str:
        presence, job, _result = self._launchctl.probe(self._want.target)
        disabled = self._launchctl.disabled(self._want.domain)
        override = "unknown"
        if disabled is not None:
            override = "disabled" if disabled.get(self._want.label) else "enabled"
        state = f", state {job.state}" if job else ""
        return (
            f"Afterwards it is {presence.value}{state}, override {override}, "
            f"{_describe_file(self._want.path)}."
        )


def _is_loaded(job: Printout, plist: Mapping[str, Any], path: str, fresh: bool) -> bool:
    """A load that comes too early is accepted and keeps the old job, or goes away with it."""
    if job.leaving:
        return False
    names = set(loaded_drift(plist, path, job)) if plist else set()
    return not (names & _FATAL_DRIFT if fresh else names)


def _describe_file(path: str) -> str:
    try:
        found = Path(path).lstat()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{path} belongs to {found.st_uid}:{found.st_gid} with mode {found.st_mode & 0o7777:04o}"

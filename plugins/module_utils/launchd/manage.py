# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs from their arguments to their results: observe, plan, apply, observe again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import Processes
from ansible_collections.closet.inference.plugins.module_utils.launchd.apply import Apply
from ansible_collections.closet.inference.plugins.module_utils.launchd.job import (
    is_quarantined,
    observe,
    want_from,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import (
    LAUNCHCTL,
    Launchctl,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    Have,
    JobError,
    Plan,
    Presence,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.plan import plan
from ansible_collections.closet.inference.plugins.module_utils.launchd.preflight import (
    lacks,
    refusals,
    remarks,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.report import (
    differences,
    outcome,
    process_facts,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.verify import Watch
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner


@dataclass
class _Course:
    """One job on its way through the call."""

    result: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    want: Want | None = None
    have: Have | None = None
    plan: Plan = field(default_factory=Plan)
    apply: Apply | None = None
    watch: Watch | None = None

    def fail(self, error: JobError) -> None:
        self.result.update(failed=True, msg=str(error))
        if self.apply is not None:
            done = [step for step in self.apply.done if step.changes]
            self.result.update(changed=bool(done), steps=[step.value for step in done])


class Manager:
    """Many jobs of one host in one call; each has its own result, in the order given."""

    def __init__(self, runner: Runner, check_mode: bool, program: str = LAUNCHCTL) -> None:
        self._runner = runner
        self._check_mode = check_mode
        self._launchctl = Launchctl(runner, program)
        self._processes = Processes()
        self._disabled: dict[str, Mapping[str, bool] | None] = {}

    def manage(self, jobs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One result for each; a failing one has `failed` and `msg` and stops none of the others.

        The jobs that were started settle side by side, so twenty take no longer than one.
        """
        courses = [
            _Course({"label": job.get("label"), "domain": job.get("domain"), "changed": False})
            for job in jobs
        ]
        given: set[tuple[str, str]] = set()
        for course, arguments in zip(courses, jobs):
            self._try(course, partial(self._begin, course, arguments, given))
        self._processes.close()
        for course in courses:
            if not course.result.get("failed") and course.watch is not None:
                self._try(course, partial(self._finish, course))
        for course in courses:
            course.result["warnings"] = course.warnings
            if course.apply is not None:
                course.warnings += course.apply.warnings
        return [course.result for course in courses]

    def _try(self, course: _Course, action: Callable[[], None]) -> None:
        try:
            action()
        except JobError as error:
            course.fail(error)
            self._look_again(course)

    def _begin(
        self, course: _Course, arguments: Mapping[str, Any], given: set[tuple[str, str]]
    ) -> None:
        want = want_from(arguments)
        if (want.domain.name, want.label) in given:
            raise JobError(f"{want.target} is given twice in one call.")
        given.add((want.domain.name, want.label))
        want, have = observe(self._launchctl, want, self._disabled_in(want.domain), self._processes)
        steps = plan(want, have)
        if _loads_as_it_is(steps) and is_quarantined(self._runner, want.path):
            have = replace(have, file=replace(have.file, quarantined=True))
            steps = plan(want, have)
        course.want, course.have, course.plan = want, have, steps
        course.result = {
            **outcome(want, have, steps),
            "diff": differences(want, have, steps),
        }
        course.warnings += remarks(want, have, steps)
        self._preflight(course)
        if self._check_mode or not steps.steps:
            return
        course.apply = Apply(self._launchctl, want, have, self._processes)
        course.watch = course.apply.act(steps.steps)
        if course.watch is not None and Step.SETTLE in steps.steps:
            course.watch.await_process()
        if course.watch is None:
            self._look_again(course)

    def _preflight(self, course: _Course) -> None:
        want, have = course.want, course.have
        if want is None or have is None:
            return
        refused = refusals(want, have, course.plan)
        lacking = lacks(want, have, course.plan)
        if self._check_mode:
            course.warnings += [f"{want.label}: {lack} (yet)" for lack in lacking]
        else:
            refused = refused + lacking
        if refused:
            course.result.update(changed=False, steps=[], state_after=have.state, diff=[])
            raise JobError(f"{want.target} was not touched: {'; '.join(refused)}.")

    def _finish(self, course: _Course) -> None:
        if course.watch is None:
            return
        settles = Step.SETTLE in course.plan.steps
        job = course.watch.settle() if settles else course.watch.await_completion()
        state = "running" if job.pid is not None else "loaded"
        course.result.update(process_facts(job), state_after=state)

    def _look_again(self, course: _Course) -> None:
        """What there is after the steps, whether they went well or not."""
        if course.apply is None or course.want is None:
            return
        presence, job, _result = self._launchctl.probe(course.want.target)
        now = Have(presence, job)
        course.result.update(process_facts(job), state_after=now.state)
        gone = presence in (Presence.ABSENT, Presence.NO_DOMAIN)
        if course.result.get("failed") and gone:
            course.result["msg"] += " The job is not loaded now."

    def _disabled_in(self, domain: Domain) -> Mapping[str, bool] | None:
        """The override store, read once for each domain of a call."""
        if domain.missing_user:
            return {}
        if domain.name not in self._disabled:
            self._disabled[domain.name] = self._launchctl.disabled(domain)
        return self._disabled[domain.name]


def _loads_as_it_is(plan_: Plan) -> bool:
    """A file that we write anew carries no mark of a download."""
    return Step.BOOTSTRAP in plan_.steps and Step.WRITE not in plan_.steps

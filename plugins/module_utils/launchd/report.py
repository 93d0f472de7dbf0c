# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task says about a job: its result, and the difference before and after."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    FileKind,
    Have,
    Plan,
    Presence,
    Step,
    Want,
    plist_bytes,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.plan import is_disabled
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout

_SECRET = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
HIDDEN = "(hidden)"


def outcome(want: Want, have: Have, plan: Plan) -> dict[str, Any]:
    """The part of a result that is known before anything is done."""
    return {
        "label": want.label,
        "domain": want.domain.name,
        "path": want.path,
        "changed": plan.changed,
        "drift": list(plan.drift),
        "steps": [step.value for step in plan.steps],
        "state_before": have.state,
        "state_after": expected_state(want, have, plan),
        **process_facts(have.job if have.presence is Presence.LOADED else None),
    }


def process_facts(job: Printout | None) -> dict[str, Any]:
    return {
        "pid": job.pid if job else None,
        "runs": job.runs if job else None,
        "last_exit": job.last_exit if job else None,
        "last_exit_text": job.last_exit_text if job else None,
    }


def expected_state(want: Want, have: Have, plan: Plan) -> str:
    """running, loaded or absent, once the plan is carried out."""
    if want.state in ("absent", "stopped"):
        return "absent"
    if Step.COMPLETE in plan.steps:
        return "loaded"
    if want.state in ("started", "restarted"):
        return "running"
    reloaded = Step.BOOTSTRAP in plan.steps
    return "loaded" if reloaded else have.state


def differences(want: Want, have: Have, plan: Plan) -> list[dict[str, str]]:
    """For diff mode: the plist as text and the state as a few lines; secrets stay hidden."""
    found = []
    if {Step.WRITE, Step.REMOVE} & set(plan.steps):
        after = want.plist if Step.WRITE in plan.steps else None
        new = _plist_text(after, have.file.content) if after is not None else ""
        found.append(text_diff(want.path, _file_text(have, after), new))
    state_before = _state_text(want, have, plan, before=True)
    state_after = _state_text(want, have, plan, before=False)
    if plan.changed and state_before != state_after:
        found.append(text_diff(f"{want.target} in launchd", state_before, state_after))
    return found


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Environment with the values of telling names hidden."""
    return {name: HIDDEN if _SECRET.search(name) else text for name, text in variables.items()}


def _state_text(want: Want, have: Have, plan: Plan, before: bool) -> str:
    disabled = is_disabled(want, have) if before or want.state == "absent" else not want.enabled
    state = have.state if before else expected_state(want, have, plan)
    steps: Sequence[Step] = () if before else [step for step in plan.steps if step.changes]
    lines = [
        f"enabled: {str(not disabled).lower()}",
        f"state: {state}",
        *([f"differs in: {', '.join(plan.drift)}"] if before and plan.drift else []),
        *([f"by: {', '.join(step.value for step in steps)}"] if steps else []),
    ]
    return "\n".join(lines) + "\n"


def _file_text(have: Have, other: Mapping[str, Any] | None) -> str:
    if have.file.content is not None:
        return _plist_text(have.file.content, other, mark_changes=False)
    if have.file.kind is FileKind.ABSENT:
        return ""
    return f"(a {have.file.kind.value} file, not a property list)\n"


def _plist_text(
    plist: Mapping[str, Any], other: Mapping[str, Any] | None, mark_changes: bool = True
) -> str:
    """The XML, with secrets hidden, but a changed one still seen as changed."""
    variables = plist.get("EnvironmentVariables")
    if isinstance(variables, Mapping):
        hidden = without_secrets(variables)
        others = (other or {}).get("EnvironmentVariables")
        for name, text in hidden.items():
            known = others.get(name) if isinstance(others, Mapping) else None
            if text == HIDDEN and mark_changes and known not in (None, variables[name]):
                hidden[name] = f"{HIDDEN[:-1]}, another value)"
        plist = {**plist, "EnvironmentVariables": hidden}
    return plist_bytes(plist).decode()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads pmset, writes all differences at once, and checks the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.power.plan import (
    Have,
    Plan,
    Want,
    plan,
    table,
)
from ansible_collections.closet.inference.plugins.module_utils.power.pmset import (
    SOURCES,
    checked,
    parse_custom,
    parse_sleep_disabled,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

PMSET = "/usr/bin/pmset"


class PowerError(RuntimeError):
    """pmset did not do what it was asked; the text says what it said."""


def execute(
    params: Mapping[str, Any], runner: Runner, check_mode: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The result and the warnings; raises PowerRefusedError or PowerError."""
    sleep_disabled = params.get("sleep_disabled")
    have = observe(runner, sleep_disabled)
    want = Want(
        {
            source: checked(source, params.get(source) or {}, have.settings.get(source))
            for source in SOURCES
        },
        sleep_disabled,
    )
    todo = plan(want, have)
    warnings = [_lacks(todo)] if todo.unsupported else []
    if todo.changes and not check_mode:
        warnings += _write(runner, want, todo)
    result = {
        "changed": todo.changes,
        "written": {source: dict(keys) for source, keys in todo.writes.items()},
        "unsupported": list(todo.unsupported),
        "sources": [source for source in SOURCES if source in have.settings],
        "diff": text_diff("pmset", table(have, todo, after=False), table(have, todo, after=True)),
    }
    return result, warnings


def observe(runner: Runner, sleep_disabled: bool | None) -> Have:
    """The present settings; unreadable output is an error, never a Mac without settings."""
    settings = parse_custom(_ask(runner, "custom"))
    if not settings:
        raise PowerError(
            "`pmset -g custom` names no power source, so nothing was changed. Check its output on "
            "this Mac"
        )
    if sleep_disabled is None:
        return Have(settings)
    return Have(settings, parse_sleep_disabled(_ask(runner)))


def _ask(runner: Runner, *words: str) -> str:
    done = runner.run([PMSET, "-g", *words])
    if done.rc != 0:
        raise PowerError(f"`{' '.join(done.argv)}` {_ended(done)}. Nothing was changed.")
    return done.stdout


def _write(runner: Runner, want: Want, todo: Plan) -> list[str]:
    done = runner.run(todo.argv)
    told = f"`{' '.join(todo.argv)}`"
    if done.rc != 0:
        hint = " Run the task with become: true." if "root" in done.stdout + done.stderr else ""
        raise PowerError(f"{told} {_ended(done)}.{hint}")
    left = plan(want, observe(runner, want.sleep_disabled))
    if left.changes:
        names = [f"{source}.{key}" for source, keys in left.writes.items() for key in keys]
        names += ["sleep_disabled"] if left.sleep_disabled is not None else []
        raise PowerError(
            f"{told} ended well, but {', '.join(names)} did not change: this Mac does not take it. "
            "Remove it, or check whether a device management profile sets the power settings"
        )
    said = " ".join(done.stderr.split())
    return [f"pmset says: {said}"] if said else []


def _ended(done: Completed) -> str:
    said = " ".join(f"{done.stdout} {done.stderr}".split())[-300:]
    how = "did not end in time" if done.timed_out else f"ended with {done.rc}"
    return f"{how}{f': {said}' if said else ''}"


def _lacks(todo: Plan) -> str:
    words = [
        f"no {SOURCES[name]}" if name in SOURCES else f"no setting {name}"
        for name in todo.unsupported
    ]
    return f"this Mac has {', '.join(words)}; that was left out"

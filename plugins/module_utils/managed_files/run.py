# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of managed_files: observe, plan, run the validators, write all files or none."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Processes,
    Rights,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.filediff import (
    Diff,
    content_diff,
    words_diff,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files import confirm
from ansible_collections.closet.inference.plugins.module_utils.managed_files.apply import apply
from ansible_collections.closet.inference.plugins.module_utils.managed_files.host import (
    observe,
    rights_of,
    try_validators,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    Have,
    Plan,
    Step,
    digest,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.plan import plan
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    parse_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError


def execute(
    params: Mapping[str, Any], runner: Runner, folder: str, check_mode: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The result and the warnings; `folder` is a private place for the copies for validators.

    FilesRefusedError: nothing was changed. FilesNotWrittenError: all files were restored.
    NotConfirmedError: all files are written, and the program that reads them rejects them.
    """
    wants = parse_wants(params["files"], params.get("secret_contents") or ())
    asked = confirm.parse(params.get("confirm"))
    with account_processes() as processes:
        rights = rights_of(wants, processes)
        try:
            made = plan(wants, observe(wants, check_mode, rights))
            _refuse(made)
            warnings = made.warnings
            warnings += try_validators(made.steps, runner, folder, check_mode, rights)
            of_record = _for_record(asked, processes)
            is_open = asked and (made.steps or confirm.is_open(asked, wants, of_record))
        except ActingError as error:
            raise FilesRefusedError(f"{error}. Nothing was written.") from error
        if asked and is_open and not check_mode:
            confirm.forget(asked, of_record)
        if not check_mode:
            apply(made.steps, rights)
        if asked and is_open and not check_mode:
            confirm.confirm(asked, wants, processes, runner)
    touched = {step.path for step in made.steps}
    result = {
        "changed": bool(made.steps),
        "files": [
            {"path": want.path, "changed": want.path in touched, "state": want.state}
            for want in wants
        ],
        "digest": digest(wants),
        "diff": [entry for step in made.steps for entry in diffs(step)],
    }
    return result, warnings


def _for_record(asked: confirm.Question | None, processes: Processes) -> Rights:
    try:
        return processes.for_path(asked.record) if asked else Rights()
    except UntrustedPathError as error:
        raise FilesRefusedError(
            f"{error.filename}: {error.strerror}. Nothing was written."
        ) from error


def _refuse(made: Plan) -> None:
    if made.problems:
        said = "; ".join(made.problems)
        raise FilesRefusedError(
            said + ("" if said.endswith("\n") else ". ") + "Nothing was written."
        )


def diffs(step: Step) -> list[Diff]:
    """What one step looks like in diff mode."""
    have = step.have
    if step.bookkeeping:
        return []
    if step.action == "link":
        before = {"link to": have.target} if have.kind == "link" else {}
        return [words_diff(step.path, "link", before, {"link to": step.target})]
    if step.action in ("unlink", "rmdir") and have.kind != "file":
        before = {"link to": have.target} if have.kind == "link" else {"kind": have.kind}
        return [words_diff(step.path, "removed", before, {})]
    if step.action == "mkdir":
        return [words_diff(step.path, "folder", {}, _after(step, {}))]
    told = []
    if step.action in ("write", "unlink"):
        old = have.data if have.kind == "file" else None
        new = step.data if step.action == "write" else None
        attributes = _after(step, {}) if old is None else None
        if old != new:
            told.append(content_diff(step.path, old, new, step.secret, attributes))
    before = _attributes_of(have)
    after = _after(step, before)
    if step.action != "unlink" and have.kind != "absent" and before != after:
        told.append(words_diff(step.path, "attributes", before, after))
    return told


def _attributes_of(have: Have) -> dict[str, str]:
    return {
        "mode": f"{have.mode:04o}",
        "owner": _called(have.uid, lambda number: pwd.getpwuid(number).pw_name),
        "group": _called(have.gid, lambda number: grp.getgrgid(number).gr_name),
    }


def _after(step: Step, before: Mapping[str, str]) -> dict[str, str]:
    after = dict(before)
    if step.mode is not None:
        after["mode"] = f"{step.mode:04o}"
    if step.uid is not None:
        after["owner"] = _called(step.uid, lambda number: pwd.getpwuid(number).pw_name)
    if step.gid is not None:
        after["group"] = _called(step.gid, lambda number: grp.getgrgid(number).gr_name)
    return after


def _called(number: int, look_up: Callable[[int], str]) -> str:
    try:
        return look_up(number)
    except KeyError:
        return str(number)

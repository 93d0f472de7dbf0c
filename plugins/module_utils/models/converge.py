# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All models of a host in one run: observe, plan, and bring about what was planned."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    LinkPlan,
    Served,
    apply_links,
    links_without,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    read_manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.orphans import remove_files
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    in_gb,
)
from ansible_collections.closet.inference.plugins.module_utils.models.planner import (
    jobs_of,
    plan_host,
    raise_flaws,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.pull import pull_models
from ansible_collections.closet.inference.plugins.module_utils.models.removal import apply_removal
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    HostPlan,
    Outcome,
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    FOREGROUND_WAIT_S,
    HubBusyError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    check_way,
    explain_os_error,
    free_bytes,
    progress_file,
    store_lock,
)


def converge(request: Request, tools: Tools) -> Outcome:
    """Make the store and the served folder be what the request says, or say why not."""
    try:
        if request.check_mode:
            plan = plan_host(request, tools)
            raise_flaws(plan.flaws, bool(plan.models))
            return _outcome(request, plan, {})
        return _converge_patiently(request, tools)
    except OSError as error:
        raise explain_os_error(
            error, "the models were brought up to date", request.store
        ) from error


def _converge_patiently(request: Request, tools: Tools) -> Outcome:
    """A long wait for the hub is shown; where nothing can be shown, it is left to the pull."""
    progress = Progress(_progress_path(request), tools.wall, tools.clock)

    def on_wait(seconds: float, what: str) -> None:
        with contextlib.suppress(OSError):  # of a first run: the record lies in the store
            request.store.mkdir(parents=True, exist_ok=True)
        progress.waits(seconds, what)

    if request.fetch:
        tools.wait_policy.on_wait = on_wait
        return _converge_locked(request, tools, progress)
    tools.wait_policy.longest_s = FOREGROUND_WAIT_S
    try:
        return _converge_locked(request, tools, progress)
    except HubBusyError:
        nothing = HostPlan((), LinkPlan((), ()), Served({}), free_bytes(request.store))
        return Outcome(nothing, {}, {}, pending=True)


def _plan(request: Request, tools: Tools, progress: Progress) -> HostPlan:
    try:
        return plan_host(request, tools)
    finally:
        if progress.waited:
            progress.enter("planned")
            if request.progress_path is None:
                _progress_path(request).unlink(missing_ok=True)


def _converge_locked(request: Request, tools: Tools, progress: Progress) -> Outcome:
    check_way(request.store)
    if not request.store.exists():
        plan = _plan(request, tools, progress)  # refuses before the store is made
        if request.absent:
            return _outcome(request, plan, {})
        if not plan.models:
            raise_flaws(plan.flaws, others=False)
        request.store.mkdir(parents=True, exist_ok=True)
    with store_lock(request.store, tools.sleep):
        plan = _plan(request, tools, progress)
        outcome = _outcome(request, plan, {})
        if not request.fetch and any(jobs_of(request, model) for model in plan.models):
            _progress_path(request).unlink(missing_ok=True)  # of a run that was killed
            flaws = plan.flaws.values()  # the pull itself will end with them
            return replace(outcome, pending=True, warnings=(*outcome.warnings, *flaws))
        if not plan.changes:
            raise_flaws(plan.flaws, bool(plan.models))
            return outcome
        done = _apply(request, plan, tools)
        return replace(
            outcome,
            fetched=done.fetched,
            from_peers=tools.peers.lent,
            warnings=(*outcome.warnings, *done.warnings),
        )


def _progress_path(request: Request) -> Path:
    return request.progress_path or progress_file(request.store)


@dataclass(frozen=True)
class Applied:
    """Bytes that came over the network by served name, and what to warn of."""

    fetched: dict[str, int]
    warnings: tuple[str, ...]


def _apply(request: Request, plan: HostPlan, tools: Tools) -> Applied:
    path = _progress_path(request)
    works = any(model.incomplete for model in plan.models)
    progress = Progress(path if works else None, tools.wall, tools.clock)
    tools.wait_policy.on_wait = progress.waits
    progress.begin(plan.models)
    apply_removal(plan.removal, request.store, request.serve_dir)
    remove_files(Path("/"), [name for name, _size in plan.orphans])
    for model in plan.models:
        folder = request.store / model.want.repo
        remove_files(folder, [name for name, _size in model.leftovers])
    try:
        found = pull_models(request, plan.models, tools, progress)
        links = links_without(plan.links, found.flaws)
        apply_links(links, request.serve_dir, request.store)
        raise_flaws({**plan.flaws, **found.flaws}, len(plan.models) > len(found.flaws))
    except BaseException:
        progress.enter("failed")
        raise
    progress.enter("done")
    if request.progress_path is None:
        path.unlink(missing_ok=True)
    fetched = {model.want.name: progress.fetched(model.want.name) for model in plan.models}
    return Applied(fetched, tuple(found.warnings))


def _outcome(request: Request, plan: HostPlan, fetched: dict[str, int]) -> Outcome:
    return Outcome(plan, _served_before(request, plan.served), fetched, _warnings(request, plan))


def _served_before(request: Request, served: Served) -> dict[str, tuple[str, str]]:
    """What the links led to: served name to repository and commit ('incomplete' without one)."""
    found = {}
    for name, repo in served.links.items():
        manifest = read_manifest(request.store / repo)
        found[name] = (repo, manifest.revision if manifest else "incomplete")
    return found


def _warnings(request: Request, plan: HostPlan) -> tuple[str, ...]:
    unknown = [model.want.title for model in plan.models if model.files is None]
    lines = []
    if unknown:
        lines.append(f"the hub was not reached, sizes are unknown: {', '.join(unknown)}.")
    if plan.served.foreign and not request.absent:
        names = ", ".join(plan.served.foreign)
        lines.append(
            f"{request.serve_dir} also holds what is not ours and was left alone: {names}."
        )
    going = plan.removal.going
    if going and not plan.removal.confirmed:
        sizes = ", ".join(f"{one.repo} {in_gb(one.size)}" for one in going)
        command = request.confirm_command
        how = f": `{command}`." if command else " (confirmed: true of this task)."
        lines.append(f"these would be removed: {sizes}. Nothing was. To remove them{how}")
    kept = [f"{one.repo} ({one.reason})" for one in plan.removal.candidates if one.reason]
    if kept:
        lines.append(f"these stay: {', '.join(kept)}.")
    return tuple(lines)

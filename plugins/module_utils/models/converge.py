# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All models of a host in one run: observe, plan, and bring about what was planned."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.commit import (
    commit,
    read_staged,
)
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher, FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    LinkPlan,
    Served,
    apply_links,
    observe_links,
    plan_links,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    missing_shards,
    read_manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.patience import (
    HubUnreachableError,
    Sleep,
)
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    Have,
    ModelPlan,
    Step,
    check_space,
    choose_files,
    is_index,
    needs_no_record,
    next_step,
    stale_files,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    ModelWant,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    explain_os_error,
    file_states,
    free_bytes,
    leftovers,
    observe_model,
    remove_files,
    store_lock,
)


@dataclass(frozen=True)
class Request:
    """What a task asks for; sizes in bytes."""

    wants: tuple[ModelWant, ...]
    store: Path
    serve_dir: Path
    reserve: int
    verify: str
    follow: bool
    check_mode: bool
    connections: int
    progress_path: Path | None


@dataclass(frozen=True)
class Tools:
    """What reaches outside: hubs (for questions, and for bytes), the clock, patience."""

    ask: Callable[[], Hub]
    carry: Callable[[], Hub]
    sleep: Sleep
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class HostPlan:
    models: tuple[ModelPlan, ...]
    links: LinkPlan
    served: Served
    free: int

    @property
    def changes(self) -> bool:
        return self.links.changes or any(model.changes for model in self.models)


@dataclass(frozen=True)
class Outcome:
    """What was there, and what is now; `fetched` counts network bytes by served name."""

    plan: HostPlan
    before: dict[str, tuple[str, str]]
    fetched: dict[str, int]
    warnings: tuple[str, ...] = ()


def converge(request: Request, tools: Tools) -> Outcome:
    """Make the store and the served folder be what the request says, or say why not."""
    try:
        if request.check_mode:
            return _outcome(request, plan_host(request, tools), {})
        return _converge_locked(request, tools)
    except OSError as error:
        raise explain_os_error(
            error, "the models were brought up to date", request.store
        ) from error


def _converge_locked(request: Request, tools: Tools) -> Outcome:
    early = None if request.store.exists() else plan_host(request, tools)
    request.store.mkdir(parents=True, exist_ok=early is None)
    with store_lock(request.store, tools.sleep):
        plan = early or plan_host(request, tools)
        outcome = _outcome(request, plan, {})
        fetched = _apply(request, plan, tools) if plan.changes else {}
        return replace(outcome, fetched=fetched)


def plan_host(request: Request, tools: Tools) -> HostPlan:
    served = observe_links(request.serve_dir, request.store)
    links = plan_links(request.wants, served, str(request.serve_dir))
    models = tuple(_plan_model(request, tools, want) for want in request.wants)
    free = free_bytes(request.store)
    check_space(models, free, request.reserve, str(request.store))
    if not request.check_mode and any(_jobs(request, model) for model in models):
        tools.carry()  # says what it lacks before anything is touched
    return HostPlan(models, links, served, free)


def _plan_model(request: Request, tools: Tools, want: ModelWant) -> ModelPlan:
    folder = request.store / want.repo
    have = observe_model(folder, want.repo, request.verify, request.connections)
    before = have.manifest
    step = next_step(want, have, request.follow)
    revision = before.revision if before and step is not Step.ASK else want.revision
    try:
        if step is Step.ASK:
            revision = tools.ask().resolve(want.repo, want.revision)
        if before is not None and before.revision == revision:
            entries = before.files
        else:
            entries = choose_files(want, tools.ask().tree(want.repo, revision))
    except HubUnreachableError:
        if not request.check_mode:
            raise
        return ModelPlan(want, revision, before, None)
    files = file_states(folder, have, entries)
    same = before is not None and before.revision == revision
    plan = ModelPlan(
        want,
        revision,
        before,
        files,
        stale=() if same else stale_files(before, entries),
        record=same and before is not None and not needs_no_record(want, before),
    )
    return replace(plan, leftovers=tuple(leftovers(folder, files, plan.incomplete)))


def _apply(request: Request, plan: HostPlan, tools: Tools) -> dict[str, int]:
    progress = Progress(request.progress_path, tools.wall, tools.clock)
    progress.begin(plan.models)
    for model in plan.models:
        folder = request.store / model.want.repo
        remove_files(folder, [name for name, _size in model.leftovers])
    try:
        _bring_in(request, plan.models, tools, progress)
        apply_links(plan.links, request.serve_dir, request.store)
    except BaseException:
        progress.enter("failed")
        raise
    progress.enter("done")
    return {model.want.name: progress.fetched(model.want.name) for model in plan.models}


def _bring_in(
    request: Request, models: Sequence[ModelPlan], tools: Tools, progress: Progress
) -> None:
    """Shard indexes of all models first: they tell whether a repository is whole."""
    hub: Hub | None = None
    if any(_jobs(request, model) for model in models):
        hub = tools.carry()
    try:
        indexes = [
            job for model in models for job in _jobs(request, model) if is_index(job.entry.path)
        ]
        _fetch(request, hub, progress, indexes)
        for model in models:
            if model.incomplete:
                _check_shards(request, model)
        for model in models:
            rest = [job for job in _jobs(request, model) if not is_index(job.entry.path)]
            _fetch(request, hub, progress, rest)
            if model.incomplete or model.record:
                commit(request.store / model.want.repo, model)
    finally:
        if hub is not None:
            hub.close()


def _fetch(request: Request, hub: Hub | None, progress: Progress, jobs: Sequence[FileJob]) -> None:
    if jobs and hub is not None:
        Fetcher(hub, request.connections, progress).fetch(jobs)


def _jobs(request: Request, model: ModelPlan) -> list[FileJob]:
    folder = request.store / model.want.repo
    return [
        FileJob(
            model.want.name,
            model.want.repo,
            model.revision,
            file.entry,
            folder / file.entry.path,
            file.claimed,
        )
        for file in model.fetch
        if file.have is not Have.STAGED
    ]


def _check_shards(request: Request, model: ModelPlan) -> None:
    folder = request.store / model.want.repo
    paths = [file.entry.path for file in model.files or ()]
    for path in filter(is_index, paths):
        lacking = missing_shards(read_staged(folder / path), path, paths)
        if lacking:
            raise ModelError(
                f"model {model.want.title}: {path} names {lacking[0]}"
                f"{f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''}, which the "
                "repository does not hold; whoever published it has to complete it."
            )


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
    if plan.served.foreign:
        names = ", ".join(plan.served.foreign)
        lines.append(
            f"{request.serve_dir} also holds what is not ours and was left alone: {names}."
        )
    return tuple(lines)

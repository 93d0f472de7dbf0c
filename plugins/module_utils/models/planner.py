# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wanted and what is seen to what has to happen; nothing is changed here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    LinkPlan,
    Served,
    links_without,
    observe_links,
    plan_links,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    FileEntry,
    Manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.orphans import (
    cache_leftovers,
    leftovers,
)
from ansible_collections.closet.inference.plugins.module_utils.models.peers import FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    Have,
    ModelPlan,
    Step,
    check_space,
    choose_files,
    in_gb,
    needs_no_record,
    next_step,
    stale_files,
)
from ansible_collections.closet.inference.plugins.module_utils.models.removal import (
    Removal,
    plan_removal,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    MANIFEST_NAME,
    FlawError,
    ModelError,
    ModelWant,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    HostPlan,
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubUnreachableError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    check_places,
    check_way,
    existing_ancestor,
    file_states,
    free_bytes,
    observe_model,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import weight_paths


def plan_host(request: Request, tools: Tools) -> HostPlan:
    """Everything of one host together, refused as a whole when one thing cannot be."""
    served = observe_links(request.serve_dir, request.store)
    removal = plan_removals(request, tools, served)
    free = free_bytes(request.store) + removal.freed
    if request.absent:  # about the models that are named, and nothing else
        return HostPlan((), LinkPlan((), ()), served, free, removal)
    orphans = tuple(cache_leftovers(request.hub_cache, tools.wall()))
    links = plan_links(request.wants, served, str(request.serve_dir))
    models, flaws = plan_models(request, tools)
    links = links_without(links, flaws)
    plan = HostPlan(models, links, served, free, removal, orphans, flaws)
    check_memory(models, request.ceiling)
    check_space(models, free, request.reserve, str(request.store))
    if not request.check_mode:
        _check_means(request, tools, plan)
    return plan


def raise_flaws(flaws: Mapping[str, str], others: bool) -> None:
    """At the end, when everything else is done: a model that was asked for is not there."""
    if flaws:
        rest = " The other models of this host are not affected." if others else ""
        raise ModelError(" ".join(flaws.values()) + rest)


def plan_removals(request: Request, tools: Tools, served: Served) -> Removal:
    """Which whole models go: those listed as absent, or all that are not listed."""
    listed = {want.repo.casefold() for want in request.wants}

    def goes(repo: str) -> bool:
        if request.absent:
            return repo.casefold() in listed
        return request.exclusive and repo.casefold() not in listed

    confirmed = request.confirmed and (request.absent or request.exclusive)
    return plan_removal(request.store, served, goes, tools.loaded, confirmed)


def jobs_of(request: Request, model: ModelPlan) -> list[FileJob]:
    """The files of a model that have to come over the network."""
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


def _check_means(request: Request, tools: Tools, plan: HostPlan) -> None:
    """What the run needs is at hand; said before anything is touched."""
    folders = [request.store / model.want.repo for model in plan.models if model.changes]
    if plan.links.changes:
        folders.append(request.serve_dir)
    if plan.changes:
        check_writable([request.store, *folders])
    if request.fetch and any(jobs_of(request, model) for model in plan.models):
        tools.carry()


def plan_models(request: Request, tools: Tools) -> tuple[tuple[ModelPlan, ...], dict[str, str]]:
    """The models that can be had, and by served name what is wrong with the others."""
    models: list[ModelPlan] = []
    flaws: dict[str, str] = {}
    for want in request.wants:
        try:
            models.append(plan_model(request, tools, want))
        except FlawError as flaw:
            flaws[want.name] = str(flaw)
    return tuple(models), flaws


def plan_model(request: Request, tools: Tools, want: ModelWant) -> ModelPlan:
    """One model: what is here of it, what the hub says it is, and so what is missing."""
    folder = request.store / want.repo
    check_way(folder)
    check_places(folder, [MANIFEST_NAME])
    have = observe_model(folder, want.repo, request.verify, request.connections)
    before = have.manifest
    step = next_step(want, have, request.follow)
    revision = before.revision if before and step is not Step.ASK else want.revision
    try:
        revision, entries = _look_up(tools, want, before, revision, step)
    except HubUnreachableError:
        lent = tools.peers.record(want.repo, want.revision)
        if lent is not None:
            revision, entries = lent.revision, lent.files
        elif request.check_mode:
            return ModelPlan(want, revision, before, None)
        else:
            raise
    check_places(folder, [entry.path for entry in entries])
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


def _look_up(
    tools: Tools, want: ModelWant, before: Manifest | None, revision: str, step: Step
) -> tuple[str, tuple[FileEntry, ...]]:
    """The commit, and its files: from the record beside the model as far as that goes."""
    if step is Step.ASK:
        revision = tools.ask().resolve(want.repo, want.revision)
    if before is not None and before.revision == revision:
        return revision, before.files
    return revision, choose_files(want, tools.ask().tree(want.repo, revision))


IN_MEMORY = 1.05  # omlx's own estimate over the bytes of the weights (model_discovery.py)


def check_writable(folders: Iterable[Path]) -> None:
    """Each folder, or the nearest one above it that exists, takes new files from us."""
    effective = os.access in os.supports_effective_ids
    for folder in folders:
        place = existing_ancestor(folder)
        if not place.is_dir():
            raise ModelError(f"{place} is not a folder; {folder} cannot be made there.")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=effective):
            raise ModelError(
                f"uid {os.geteuid()} may not write into {place}, where the models go. Look "
                f"at it with: `ls -lde {shlex.quote(str(place))}`"
            )


def check_memory(plans: Sequence[ModelPlan], ceiling: int | None) -> None:
    """A model that no server on this host could load is not worth its download."""
    if ceiling is None:
        return
    for plan in plans:
        weights = weight_bytes(plan)
        if weights * IN_MEMORY > ceiling:
            raise ModelError(
                f"{plan.want.title} needs {in_gb(int(weights * IN_MEMORY))} of memory (its weights "
                f"are {in_gb(weights)}), and the models of this host may use {in_gb(ceiling)}. It "
                "would be refused at each load: take it out, or a smaller quantization of it."
            )


def weight_bytes(plan: ModelPlan) -> int:
    sizes = {file.entry.path: file.entry.size for file in plan.files or ()}
    return sum(sizes[path] for path in weight_paths(sizes))

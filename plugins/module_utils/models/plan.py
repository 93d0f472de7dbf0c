# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run: requested models, compared with the disk and the hub. It changes nothing.

plan_host() plans all models of a host and refuses what does not fit on it; _plan_model() plans one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    check_places,
    check_way,
    check_writable,
    free_bytes,
    in_gb,
)
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
from ansible_collections.closet.inference.plugins.module_utils.models.removal import (
    Orphans,
    Removal,
    cache_leftovers,
    leftovers,
    plan_removal,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    MANIFEST_NAME,
    FlawError,
    ModelError,
    ModelWant,
    is_commit,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request, Tools
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubUnreachableError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.selection import (
    choose_files,
    stale_files,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    FileState,
    Have,
    file_states,
    observe_model,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import (
    weight_paths,
)

IN_MEMORY = 1.05  # omlx's estimate over the bytes of the weights (its model_discovery.py)


@dataclass(frozen=True)
class ModelPlan:
    """One model. `files` is None when the hub could not be reached (check mode only).

    `record`: only the manifest changes, because it was written for another branch or tag.
    """

    want: ModelWant
    revision: str
    before: Manifest | None
    files: tuple[FileState, ...] | None
    stale: tuple[str, ...] = ()
    leftovers: tuple[tuple[str, int], ...] = ()
    record: bool = False

    @property
    def fetch(self) -> tuple[FileState, ...]:
        """The files that do not have their final name yet."""
        return tuple(file for file in self.files or () if file.have is not Have.GOOD)

    @property
    def download(self) -> tuple[FileState, ...]:
        """The files that need bytes from the network."""
        return tuple(file for file in self.fetch if file.have is not Have.STAGED)

    @property
    def same_revision(self) -> bool:
        return self.before is not None and self.before.revision == self.revision

    @property
    def incomplete(self) -> bool:
        """Files are missing or superfluous, or no manifest covers them yet."""
        return self.files is None or bool(self.fetch) or bool(self.stale) or not self.same_revision

    @property
    def changes(self) -> bool:
        return self.incomplete or self.record or bool(self.leftovers)

    @property
    def size(self) -> int | None:
        return None if self.files is None else sum(file.entry.size for file in self.files)

    @property
    def missing(self) -> int | None:
        return None if self.files is None else sum(file.missing for file in self.files)

    @property
    def state(self) -> str:
        if not self.incomplete:
            return "present"
        return "repaired" if self.same_revision else "pulled"

    @property
    def weight_bytes(self) -> int:
        sizes = {file.entry.path: file.entry.size for file in self.files or ()}
        return sum(sizes[path] for path in weight_paths(sizes))

    def manifest(self) -> Manifest:
        entries = tuple(file.entry for file in self.files or ())
        return Manifest(self.want.repo, self.want.revision, self.revision, entries)


@dataclass(frozen=True)
class HostPlan:
    """All changes of one run. `orphans` are those in the hub cache.

    `flaws` has the error of each unusable repository, by served name; `models` are the others.
    """

    models: tuple[ModelPlan, ...]
    links: LinkPlan
    served: Served
    free: int
    removal: Removal = field(default_factory=Removal)
    orphans: tuple[tuple[str, int], ...] = ()
    flaws: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        models = any(model.changes for model in self.models)
        return models or self.links.changes or self.removal.changes or bool(self.orphans)

    @property
    def leftovers(self) -> Orphans:
        here = [found for model in self.models for found in model.leftovers]
        return [*here, *self.orphans, *self.removal.interrupted]


def plan_host(request: Request, tools: Tools) -> HostPlan:
    """All models of the host together; ModelError when one precondition is not met."""
    served = observe_links(request.serve_dir, request.store)
    removal = _plan_removals(request, tools, served)
    free = free_bytes(request.store) + removal.freed
    if request.absent:  # concerns the listed models only
        return HostPlan((), LinkPlan((), ()), served, free, removal)
    orphans = tuple(cache_leftovers(request.hub_cache, tools.wall()))
    links = plan_links(request.wants, served, str(request.serve_dir))
    models, flaws = _plan_models(request, tools)
    links = links_without(links, flaws)
    plan = HostPlan(models, links, served, free, removal, orphans, flaws)
    check_memory(models, request.ceiling)
    check_space(models, free, request.reserve, str(request.store))
    if not request.check_mode:
        _check_means(request, tools, plan)
    return plan


def _plan_removals(request: Request, tools: Tools, served: Served) -> Removal:
    """Which whole models are removed: the listed ones (absent), or all others (exclusive)."""
    listed = {want.repo.casefold() for want in request.wants}

    def goes(repo: str) -> bool:
        if request.absent:
            return repo.casefold() in listed
        return request.exclusive and repo.casefold() not in listed

    confirmed = request.confirmed and (request.absent or request.exclusive)
    return plan_removal(request.store, served, goes, tools.loaded, confirmed)


def _check_means(request: Request, tools: Tools, plan: HostPlan) -> None:
    """Check write permission and httpx before anything is changed."""
    folders = [request.store / model.want.repo for model in plan.models if model.changes]
    if plan.links.changes:
        folders.append(request.serve_dir)
    if plan.changes:
        check_writable([request.store, *folders])
    if request.fetch and any(model.download for model in plan.models):
        tools.carry()


def _plan_models(request: Request, tools: Tools) -> tuple[tuple[ModelPlan, ...], dict[str, str]]:
    """The usable models, and the error of each other one by its served name."""
    models: list[ModelPlan] = []
    flaws: dict[str, str] = {}
    for want in request.wants:
        try:
            models.append(_plan_model(request, tools, want))
        except FlawError as flaw:
            flaws[want.name] = str(flaw)
    return tuple(models), flaws


def _plan_model(request: Request, tools: Tools, want: ModelWant) -> ModelPlan:
    """Compare the files on the disk with the hub's list; the difference is missing."""
    folder = request.store / want.repo
    check_way(folder)
    check_places(folder, [MANIFEST_NAME])
    have = observe_model(folder, want.repo, request.verify, request.connections)
    before = have.manifest
    ask = must_ask(want, before, request.follow)
    revision = want.revision if ask or before is None else before.revision
    try:
        revision, entries = _list_files(tools, want, before, revision, ask)
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


def _list_files(
    tools: Tools, want: ModelWant, before: Manifest | None, revision: str, ask: bool
) -> tuple[str, tuple[FileEntry, ...]]:
    """The commit and its files: from the manifest if it has that commit, else from the hub."""
    if ask:
        revision = tools.ask().resolve(want.repo, want.revision)
    if before is not None and before.revision == revision:
        return revision, before.files
    return revision, choose_files(want, tools.ask().tree(want.repo, revision))


def must_ask(want: ModelWant, manifest: Manifest | None, follow: bool) -> bool:
    """A recorded commit needs no request to the hub; a branch needs one only with `follow`."""
    if manifest is None:
        return True
    recorded = manifest.requested == want.revision and not follow
    return manifest.revision != want.revision and not recorded


def needs_no_record(want: ModelWant, manifest: Manifest) -> bool:
    """Whether the manifest answers this request, so that the next run does not ask the hub."""
    return manifest.requested == want.revision or is_commit(want.revision)


def check_space(plans: Sequence[ModelPlan], free: int, reserve: int, store: str) -> None:
    """Refuse models that do not fit on the disk together, before the first byte."""
    missing = sum(plan.missing or 0 for plan in plans)
    reclaimed = sum(size for plan in plans for _name, size in plan.leftovers)
    if missing == 0 or missing + reserve <= free + reclaimed:
        return
    parts = [f"{plan.want.title} {in_gb(plan.missing or 0)}" for plan in plans if plan.missing]
    raise ModelError(
        f"the models do not fit on the disk of {store}: {', '.join(parts)} are missing, together "
        f"{in_gb(missing)}; {in_gb(free + reclaimed)} are free, with {in_gb(reserve)} of them in "
        f"reserve. Free {in_gb(missing + reserve - free - reclaimed)}, or list fewer models."
    )


def check_memory(plans: Sequence[ModelPlan], ceiling: int | None) -> None:
    """Refuse a model that no server of this host can load, before its download."""
    if ceiling is None:
        return
    for plan in plans:
        weights = plan.weight_bytes
        if weights * IN_MEMORY > ceiling:
            raise ModelError(
                f"{plan.want.title} needs {in_gb(int(weights * IN_MEMORY))} of memory (its weights "
                f"are {in_gb(weights)}), and the models of this host may use {in_gb(ceiling)}. The "
                "server would refuse to load it: remove it from the list, or use a smaller "
                "quantization."
            )

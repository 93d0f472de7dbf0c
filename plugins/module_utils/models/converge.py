# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All models of a host in one run, under the lock of the store.

converge() plans, removes, pulls and links. pull_models() has the order of a pull: shard indexes,
the other files, and commit() for each complete model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import remove_file, sync_folder
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    check_way,
    explain_os_error,
    free_bytes,
    part_path,
    step,
)
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher, FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    LinkPlan,
    Served,
    apply_links,
    links_without,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import write_manifest
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    HostPlan,
    ModelPlan,
    plan_host,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.removal import (
    apply_removal,
    remove_files,
    remove_leftovers,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    MANIFEST_NAME,
    FlawError,
    ModelError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import (
    Outcome,
    served_before,
    warnings_of,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request, Tools
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    FOREGROUND_WAIT_S,
    HubBusyError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.selection import (
    index_warning,
    is_index,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    Have,
    progress_file,
    store_lock,
)


def converge(request: Request, tools: Tools) -> Outcome:
    """Bring the store and the folder of served models into the requested state.

    Raises ModelError when that is not possible.
    """
    try:
        if request.check_mode:
            plan = plan_host(request, tools)
            raise_flaws(plan.flaws, bool(plan.models))
            return _outcome(request, plan)
        return _converge_patiently(request, tools)
    except OSError as error:
        raise explain_os_error(error, "updating the models", request.store) from error


def _converge_patiently(request: Request, tools: Tools) -> Outcome:
    """A run that pulls shows long waits for the hub; any other run leaves them to the pull."""
    progress = Progress(_progress_path(request), tools.wall, tools.clock)

    def on_wait(seconds: float, what: str) -> None:
        with contextlib.suppress(OSError):  # in a first run: the record lies in the store
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
        return Outcome(nothing, {}, pending=True)


def _converge_locked(request: Request, tools: Tools, progress: Progress) -> Outcome:
    check_way(request.store)
    if not request.store.exists():
        plan = _plan(request, tools, progress)  # before the store is created: this may refuse
        if request.absent:
            return _outcome(request, plan)
        if not plan.models:
            raise_flaws(plan.flaws, others=False)
        request.store.mkdir(parents=True, exist_ok=True)
    with store_lock(request.store, tools.sleep):
        plan = _plan(request, tools, progress)
        outcome = _outcome(request, plan)
        if not request.fetch and any(model.download for model in plan.models):
            _progress_path(request).unlink(missing_ok=True)  # left by a run that was killed
            flaws = plan.flaws.values()  # as warnings: the pull itself fails with them at its end
            return replace(outcome, pending=True, warnings=(*outcome.warnings, *flaws))
        if not plan.changes:
            raise_flaws(plan.flaws, bool(plan.models))
            return outcome
        return _apply(request, plan, tools, outcome)


def _plan(request: Request, tools: Tools, progress: Progress) -> HostPlan:
    try:
        return plan_host(request, tools)
    finally:
        if progress.waited:
            progress.enter("planned")
            if request.progress_path is None:
                _progress_path(request).unlink(missing_ok=True)


def _apply(request: Request, plan: HostPlan, tools: Tools, outcome: Outcome) -> Outcome:
    """Remove, pull, link; returns `outcome` with what happened."""
    path = _progress_path(request)
    works = any(model.incomplete for model in plan.models)
    progress = Progress(path if works else None, tools.wall, tools.clock)
    tools.wait_policy.on_wait = progress.waits
    progress.begin(
        (model.want.name, model.want.repo, model.size, model.missing) for model in plan.models
    )
    apply_removal(plan.removal, request.store, request.serve_dir)
    remove_leftovers(Path("/"), plan.orphans)
    for model in plan.models:
        remove_leftovers(request.store / model.want.repo, model.leftovers)
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
    return replace(
        outcome,
        fetched={model.want.name: progress.fetched(model.want.name) for model in plan.models},
        from_peers=tools.peers.lent,
        warnings=(*outcome.warnings, *found.warnings),
    )


def raise_flaws(flaws: Mapping[str, str], others: bool) -> None:
    """Called last, when everything else is done: a requested model is not available."""
    if flaws:
        rest = " The other models of this host are not affected." if others else ""
        raise ModelError(" ".join(flaws.values()) + rest)


def _progress_path(request: Request) -> Path:
    return request.progress_path or progress_file(request.store)


def _outcome(request: Request, plan: HostPlan) -> Outcome:
    """Before anything is done."""
    return Outcome(plan, served_before(request, plan.served), warnings=warnings_of(request, plan))


@dataclass
class Findings:
    """Errors in repositories, by served name, and warnings about others."""

    flaws: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def about(self, model: ModelPlan) -> Iterator[None]:
        try:
            yield
        except FlawError as flaw:
            self.flaws[model.want.name] = str(flaw)


def pull_models(
    request: Request, models: Sequence[ModelPlan], tools: Tools, progress: Progress
) -> Findings:
    """Fetch and commit each model on its own: an error in one repository does not stop the others.

    The shard indexes of all models come first: they tell whether a repository is complete.
    """
    found = Findings()
    with contextlib.ExitStack() as stack:
        fetcher = None
        if any(model.download for model in models):
            hub = stack.enter_context(contextlib.closing(tools.carry()))
            fetcher = Fetcher(hub, request.connections, progress, tools.peers)

        def fetch(model: ModelPlan, indexes: bool) -> None:
            folder = request.store / model.want.repo
            jobs = [job for job in jobs_of(folder, model) if is_index(job.entry.path) is indexes]
            if fetcher is not None and jobs:
                fetcher.fetch(jobs)

        for model in filter(lambda each: each.incomplete, models):
            with found.about(model):
                fetch(model, indexes=True)
                for warning in index_warnings(request.store / model.want.repo, model):
                    found.warnings.append(warning)
        for model in models:
            if model.want.name not in found.flaws:
                with found.about(model):
                    fetch(model, indexes=False)
                    if model.incomplete or model.record:
                        commit(request.store / model.want.repo, model)
    return found


def jobs_of(folder: Path, model: ModelPlan) -> list[FileJob]:
    name, repo = model.want.name, model.want.repo
    return [
        FileJob(name, repo, model.revision, file.entry, folder / file.entry.path, file.claimed)
        for file in model.download
    ]


def index_warnings(folder: Path, model: ModelPlan) -> Iterator[str]:
    """Check each shard index, committed or not yet; FlawError when the repository lacks shards."""
    paths = [file.entry.path for file in model.files or ()]
    for path in filter(is_index, paths):
        final = folder / path
        staged = part_path(final)
        index = (staged if staged.exists() else final).read_bytes()
        warning = index_warning(model.want, path, index, paths)
        if warning:
            yield warning


def commit(folder: Path, plan: ModelPlan) -> None:
    """Remove superseded files, give the new ones their names, and write the manifest last.

    The old manifest is removed before the first new file arrives. If the run is interrupted in
    between, the next one finds files without a manifest and verifies each of them; it does not
    trust a list of other contents.
    """
    remove_files(folder, plan.stale)
    if plan.fetch:
        with step("removing the old manifest of a model", folder / MANIFEST_NAME):
            remove_file(folder / MANIFEST_NAME)
    for file in plan.fetch:
        final = folder / file.entry.path
        with step("giving a file its final name", final):
            if file.have is not Have.GOOD and part_path(final).exists():
                part_path(final).replace(final)
    for parent in {(folder / file.entry.path).parent for file in plan.files or ()}:
        with step("syncing a folder to the disk", parent):
            sync_folder(parent)
    write_manifest(folder, plan.manifest())
    remove_files(folder, [file.entry.path + JOURNAL_SUFFIX for file in plan.files or ()])

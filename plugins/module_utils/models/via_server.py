# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that the running omlx fetches itself, into owner/name below the folder it serves.

It takes `main` as it is and checks no hash. So what it calls complete is held against the hub's
list here, and recorded like a pull of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.closet.inference.plugins.module_utils.models.commit import commit
from ansible_collections.closet.inference.plugins.module_utils.models.links import LinkPlan, Served
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    ModelPlan,
    check_space,
)
from ansible_collections.closet.inference.plugins.module_utils.models.planner import (
    plan_model,
    plan_models,
    raise_flaws,
)
from ansible_collections.closet.inference.plugins.module_utils.models.preflight import check_memory
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.remains import remove_files
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    ModelWant,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    HostPlan,
    Outcome,
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    explain_os_error,
    free_bytes,
    progress_file,
    store_lock,
)

METADATA = ".cache/huggingface/download/{}.metadata"
BRANCH = "main"

Heard = Callable[[int, int], None]
Pull = Callable[[str, Heard], object]
"""Has the server fetch a repository and returns when it calls it complete, or ModelError."""


def check_wants(request: Request) -> None:
    """What the server's own downloader cannot do is refused before anything happens."""
    if request.absent or request.exclusive:
        raise ModelError(
            "via: server only brings models. Take them away with via: hub, or in omlx itself."
        )
    for want in request.wants:
        leaf = want.repo.partition("/")[2]
        if want.revision != BRANCH:
            raise ModelError(
                f"{want.title}: omlx's own downloader takes {BRANCH} and nothing else. Use via: "
                "hub for a pinned revision."
            )
        if want.name != leaf:
            raise ModelError(
                f"{want.title}: what omlx downloads itself it serves as {leaf}. Leave name out, or "
                "use via: hub."
            )


def converge_via_server(request: Request, tools: Tools, pull: Pull) -> Outcome:
    """Like converge(), with the server's queue instead of our own transfers."""
    check_wants(request)
    request = replace(request, store=request.serve_dir)
    try:
        if request.check_mode:
            plan = _plan(request, tools)
            raise_flaws(plan.flaws, bool(plan.models))
            return _outcome(plan, {})
        request.store.mkdir(parents=True, exist_ok=True)
        with store_lock(request.store, tools.sleep):
            plan = _plan(request, tools)
            if not request.fetch and any(model.fetch for model in plan.models):
                return replace(_outcome(plan, {}), pending=True)
            fetched = _apply(request, plan, tools, pull) if plan.changes else {}
            raise_flaws(plan.flaws, bool(plan.models))
            return _outcome(plan, fetched)
    except OSError as error:
        doing = "the server's downloads were looked at"
        raise explain_os_error(error, doing, request.store) from error


def _plan(request: Request, tools: Tools) -> HostPlan:
    models, flaws = plan_models(request, tools)
    free = free_bytes(request.store)
    check_memory(models, request.ceiling)
    check_space(models, free, request.reserve, str(request.store))
    return HostPlan(models, LinkPlan((), ()), Served({}), free, flaws=flaws)


def _apply(request: Request, plan: HostPlan, tools: Tools, pull: Pull) -> dict[str, int]:
    path = request.progress_path or progress_file(request.store)
    progress = Progress(path, tools.wall, tools.clock)
    progress.begin(plan.models)
    try:
        for model in plan.models:
            if model.fetch:
                _fetch(request, model, progress, pull)
            _prove(request, tools, model.want)
    except BaseException:
        progress.enter("failed")
        raise
    progress.enter("done")
    if request.progress_path is None:
        path.unlink(missing_ok=True)
    return {model.want.name: model.missing or 0 for model in plan.models}


def _fetch(request: Request, model: ModelPlan, progress: Progress, pull: Pull) -> None:
    folder = request.store / model.want.repo
    for file in model.fetch:  # or the server would take a damaged file for one that it has
        remove_files(folder, [file.entry.path, METADATA.format(file.entry.path)])
    heard = (model.size or 0) - (model.missing or 0)

    def hear(done: int, _total: int) -> None:
        nonlocal heard
        progress.add(model.want.name, max(0, done - heard), done - heard)
        heard = done

    pull(model.want.repo, hear)


def _prove(request: Request, tools: Tools, want: ModelWant) -> None:
    """Every file by its hash, then the record, and what the download left goes."""
    plan = plan_model(request, tools, want)
    if plan.fetch:
        wrong = ", ".join(file.entry.path for file in plan.fetch[:3])
        more = f" and {len(plan.fetch) - 3} more" if len(plan.fetch) > 3 else ""
        raise ModelError(
            f"omlx calls {want.repo} complete, and {wrong}{more} are not what the hub lists for "
            f"{plan.revision}. Run again: those files are fetched anew; or use via: hub."
        )
    folder = request.store / want.repo
    remove_files(folder, [name for name, _size in plan.leftovers])
    if plan.changes:
        commit(folder, plan)


def _outcome(plan: HostPlan, fetched: dict[str, int]) -> Outcome:
    before = {
        model.want.name: (model.want.repo, model.before.revision)
        for model in plan.models
        if model.before
    }
    return Outcome(plan, before, fetched)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the modules: describe() for omlx_model, survey() for omlx_model_info."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.disk import free_bytes, in_gb
from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    Served,
    observe_links,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import read_manifest
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    HostPlan,
    ModelPlan,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import (
    describe_record,
    read_record,
)
from ansible_collections.closet.inference.plugins.module_utils.models.removal import (
    Removal,
    cache_leftovers,
    leftovers,
    size_on_disk,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    lock_is_held,
    models_in,
    observe_model,
    progress_file,
)


@dataclass(frozen=True)
class Outcome:
    """What a run found and did; `fetched` counts bytes from the network by served name.

    `pending`: bytes are missing and the request excludes fetching, so nothing was done.
    """

    plan: HostPlan
    before: dict[str, tuple[str, str]]
    fetched: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    pending: bool = False
    from_peers: int = 0


def describe(request: Request, outcome: Outcome) -> dict[str, Any]:
    """The result of omlx_model; its keys are documented in the module."""
    plan = outcome.plan
    after = {model.want.name: (model.want.repo, model.revision) for model in plan.models}
    missing = [model.missing for model in plan.models]
    gone = {name for one in plan.removal.going for name in one.names if plan.removal.confirmed}
    lines = {name: kept for name, kept in outcome.before.items() if name not in gone}
    return {
        "changed": plan.changes and not outcome.pending,
        "pending": outcome.pending,
        "models": [_model(request, outcome, model) for model in plan.models],
        "digest": digest_of((name, repo, commit) for name, (repo, commit) in after.items()),
        "missing_bytes": None if None in missing else sum(size or 0 for size in missing),
        "peer_bytes": outcome.from_peers,
        "free_bytes": plan.free,
        "leftovers": {
            "count": len(plan.leftovers),
            "bytes": sum(size for _name, size in plan.leftovers),
        },
        "links": {
            "made": [name for name, _target in plan.links.make],
            "removed": list(plan.links.remove),
            "foreign": list(plan.served.foreign),
        },
        "removal": describe_removal(plan.removal),
        "diff": {
            "before": _lines(outcome.before),
            "after": _lines(lines if request.absent else after),
        },
    }


def describe_removal(removal: Removal) -> dict[str, Any]:
    return {
        "confirmed": removal.confirmed,
        "models": [
            {
                "repo": one.repo,
                "path": str(one.folder),
                "names": list(one.names),
                "bytes": one.size,
                "loaded": one.loaded,
                "stays_because": one.reason or None,
            }
            for one in removal.candidates
        ],
    }


def survey(
    store: Path, serve_dir: Path | None, verify: str, hub_cache: Path | None, now: float
) -> dict[str, Any]:
    """The result of omlx_model_info."""
    served = observe_links(serve_dir, store) if serve_dir else Served({})
    models = [_held(repo, folder, served, verify) for repo, folder in models_in(store)]
    orphans = cache_leftovers(hub_cache, now)
    return {
        "models": models,
        "names": dict(served.links),
        "foreign": list(served.foreign),
        "free_bytes": free_bytes(store),
        "bytes": sum(model["disk_bytes"] for model in models),
        "leftovers": {"count": len(orphans), "bytes": sum(size for _path, size in orphans)},
        "running": running(store),
    }


def running(store: Path) -> dict[str, Any] | None:
    """The progress of the run that works on the store at this moment; None without one."""
    if not lock_is_held(store):
        return None
    record = read_record(progress_file(store))
    return {"sentence": describe_record(record), "record": dict(record) if record else None}


def _model(request: Request, outcome: Outcome, model: ModelPlan) -> dict[str, Any]:
    planned = request.check_mode or outcome.pending
    state = "would_pull" if planned and model.incomplete else model.state
    return {
        "name": model.want.name,
        "repo": model.want.repo,
        "revision": model.revision,
        "requested": model.want.revision,
        "path": str(request.store / model.want.repo),
        "bytes": model.size,
        "missing_bytes": model.missing,
        "fetched_bytes": outcome.fetched.get(model.want.name, 0),
        "state": state,
    }


def _held(repo: str, folder: Path, served: Served, verify: str) -> dict[str, Any]:
    state = observe_model(folder, repo, verify, connections=4)
    manifest = state.manifest
    orphans = leftovers(folder, (), pending=False)
    return {
        "repo": repo,
        "names": sorted(name for name, linked in served.links.items() if linked == repo),
        "revision": manifest.revision if manifest else None,
        "requested": manifest.requested if manifest else None,
        "path": str(folder),
        "bytes": manifest.size if manifest else None,
        "disk_bytes": size_on_disk(folder),
        "complete": state.complete,
        "broken": list(state.broken),
        "unfinished_bytes": sum(size for _name, size in orphans),
        "unfinished_files": len(orphans),
    }


def _lines(served: dict[str, tuple[str, str]]) -> str:
    lines = [f"{name} {repo}@{revision}\n" for name, (repo, revision) in sorted(served.items())]
    return "".join(lines)


def served_before(request: Request, served: Served) -> dict[str, tuple[str, str]]:
    """Repository and commit by served name; 'incomplete' without a manifest."""
    found = {}
    for name, repo in served.links.items():
        manifest = read_manifest(request.store / repo)
        found[name] = (repo, manifest.revision if manifest else "incomplete")
    return found


def warnings_of(request: Request, plan: HostPlan) -> tuple[str, ...]:
    unknown = [model.want.title for model in plan.models if model.files is None]
    lines = []
    if unknown:
        lines.append(f"the hub was not reached, so these sizes are unknown: {', '.join(unknown)}.")
    if plan.served.foreign and not request.absent:
        names = ", ".join(plan.served.foreign)
        lines.append(
            f"{request.serve_dir} also has unmanaged entries, which were not changed: {names}."
        )
    going = plan.removal.going
    if going and not plan.removal.confirmed:
        sizes = ", ".join(f"{one.repo} {in_gb(one.size)}" for one in going)
        command = request.confirm_command
        how = f": `{command}`." if command else " (confirmed: true of this task)."
        lines.append(
            f"these models would be removed: {sizes}. Nothing was removed. To remove them{how}"
        )
    kept = [f"{one.repo} ({one.reason})" for one in plan.removal.candidates if one.reason]
    if kept:
        lines.append(f"these models are kept: {', '.join(kept)}.")
    return tuple(lines)


def digest_of(parts: Iterable[tuple[str, str, str]]) -> str:
    """sha256 over the sorted (name, repo, revision): it changes when a model changes."""
    lines = [f"{name} {repo} {revision}\n" for name, repo, revision in sorted(parts)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

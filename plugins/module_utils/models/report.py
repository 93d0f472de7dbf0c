# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules tell: results of a run, and what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.links import (
    Served,
    observe_links,
)
from ansible_collections.closet.inference.plugins.module_utils.models.plan import ModelPlan
from ansible_collections.closet.inference.plugins.module_utils.models.remains import leftovers
from ansible_collections.closet.inference.plugins.module_utils.models.repo import digest_of
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Outcome,
    Request,
)
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    free_bytes,
    models_in,
    observe_model,
)


def describe(request: Request, outcome: Outcome) -> dict[str, Any]:
    """The result of omlx_model; its keys are documented in the module."""
    plan = outcome.plan
    after = {model.want.name: (model.want.repo, model.revision) for model in plan.models}
    missing = [model.missing for model in plan.models]
    remains = [size for model in plan.models for _name, size in model.leftovers]
    return {
        "changed": plan.changes,
        "models": [_model(request, outcome, model) for model in plan.models],
        "digest": digest_of((name, repo, commit) for name, (repo, commit) in after.items()),
        "missing_bytes": None if None in missing else sum(size or 0 for size in missing),
        "free_bytes": plan.free,
        "leftovers": {"count": len(remains), "bytes": sum(remains)},
        "links": {
            "made": [name for name, _target in plan.links.make],
            "removed": list(plan.links.remove),
            "foreign": list(plan.served.foreign),
        },
        "diff": {"before": _lines(outcome.before), "after": _lines(after)},
    }


def survey(store: Path, serve_dir: Path | None, verify: str) -> dict[str, Any]:
    """The result of omlx_model_info."""
    served = observe_links(serve_dir, store) if serve_dir else Served({})
    models = [_held(repo, folder, served, verify) for repo, folder in models_in(store)]
    return {"models": models, "foreign": list(served.foreign), "free_bytes": free_bytes(store)}


def _model(request: Request, outcome: Outcome, model: ModelPlan) -> dict[str, Any]:
    state = "would_pull" if request.check_mode and model.incomplete else model.state
    return {
        "name": model.want.name,
        "repo": model.want.repo,
        "revision": model.revision,
        "requested": model.want.revision,
        "path": str(request.store / model.want.repo),
        "bytes": model.size,
        "fetched_bytes": outcome.fetched.get(model.want.name, 0),
        "state": state,
    }


def _held(repo: str, folder: Path, served: Served, verify: str) -> dict[str, Any]:
    state = observe_model(folder, repo, verify, connections=4)
    manifest = state.manifest
    return {
        "repo": repo,
        "names": sorted(name for name, linked in served.links.items() if linked == repo),
        "revision": manifest.revision if manifest else None,
        "requested": manifest.requested if manifest else None,
        "path": str(folder),
        "bytes": manifest.size if manifest else None,
        "complete": state.complete,
        "broken": list(state.broken),
        "unfinished_bytes": sum(size for _name, size in leftovers(folder, (), pending=False)),
    }


def _lines(served: dict[str, tuple[str, str]]) -> str:
    lines = [f"{name} {repo}@{revision}\n" for name, (repo, revision) in sorted(served.items())]
    return "".join(lines)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The serving configuration of a closet, from the inventory and the catalog.

Pure: values in, a serving configuration or a list of errors out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.catalog import (
    ROLES,
    Entry,
    OfferError,
    Profile,
    check_written,
    read_model,
    read_profile,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import (
    in_url,
    suggestion,
)

EXPOSURES = ("loopback", "lan")


@dataclass(frozen=True)
class Model:
    """One model of the profile: where it comes from, how it is served and what it takes.

    size_gb is the memory of its weights (10^9 bytes); context and output are tokens, and what
    the profile allows. `repo` is of the hub, `tag` of ollama's library.
    """

    name: str
    repo: str
    tag: str
    revision: str
    kind: str
    title: str
    size_gb: float
    context: int
    output: int
    pinned: bool
    kv_bytes_per_token: int
    state_mb: float
    sampling: Mapping[str, float]

    @property
    def source(self) -> dict[str, str]:
        """What a pull of this model needs to know."""
        return {"name": self.name, "repo": self.repo, "revision": self.revision}


@dataclass(frozen=True)
class Serving:
    """One closet: its address, whether the LAN may use it, and the models it serves.

    build, chat, embed, rerank and vision are served names; the last three may be empty.
    `requests` is how many requests with a full context the memory plan holds at once.
    """

    host: str
    url: str
    port: int
    exposure: str
    profile: str
    because: str
    backend: str
    models: tuple[Model, ...]
    build: str
    chat: str
    embed: str
    rerank: str
    vision: str
    requests: int
    hot_cache_gb: float

    @property
    def size_gb(self) -> float:
        """Memory of all weights together, 10^9 bytes."""
        return round(sum(model.size_gb for model in self.models), 1)

    @property
    def digest(self) -> str:
        """Moves when a switch is needed: another backend, model, revision or served name."""
        parts = [[m.name, m.repo, m.tag, m.revision] for m in self.models]
        text = json.dumps([self.backend, sorted(parts)])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for playbooks."""
        models = [
            {**asdict(model), "sampling": dict(model.sampling), "source": model.source}
            for model in self.models
        ]
        return {**asdict(self), "models": models, "size_gb": self.size_gb, "digest": self.digest}


def plan(
    host: str,
    wanted: Mapping[str, Any],
    models: Mapping[str, Mapping[str, Any]],
    profiles: Mapping[str, Mapping[str, Any]],
) -> Serving:
    """Work out the serving configuration of the closet `host`.

    Args:
        wanted: `profile`, `exposure`, `port`, `url_host`, `revisions` (commit by repo) of the host.
        models: the models of the catalog, by id.
        profiles: the profiles of the catalog, by name.

    Raises:
        OfferError: an unknown profile, model, role or exposure, a model named twice, a value that
            cannot be meant.
    """
    name = str(wanted["profile"])
    if name not in profiles:
        known = ", ".join(sorted(map(str, profiles)))
        raise OfferError(
            f"{host}: there is no profile '{name}'{suggestion(name, profiles)} "
            f"closet_profile can be {known}"
        )
    if wanted["exposure"] not in EXPOSURES:
        raise OfferError(
            f"{host}: closet_exposure is '{wanted['exposure']}', it can be loopback or lan"
        )
    try:
        return _serving(host, wanted, models, read_profile(name, profiles[name]))
    except OfferError as error:
        raise OfferError(f"{host}: {error}") from error


def _serving(
    host: str,
    wanted: Mapping[str, Any],
    models: Mapping[str, Mapping[str, Any]],
    profile: Profile,
) -> Serving:
    entries = {model_id: _entry(profile, model_id, models) for model_id in profile.models}
    chosen = {
        model_id: _model(profile, model_id, entry, wanted["revisions"])
        for model_id, entry in entries.items()
    }
    _check_names(profile, tuple(chosen.values()))
    _check_backend(profile, tuple(chosen.values()))
    roles = {role: _role(profile, role, chosen) for role in ROLES}
    return Serving(
        host=host,
        url=f"http://{in_url(str(wanted['url_host']))}:{wanted['port']}/v1",
        port=int(wanted["port"]),
        exposure=str(wanted["exposure"]),
        profile=profile.name,
        because=profile.because,
        backend=profile.backend,
        models=tuple(chosen.values()),
        requests=profile.requests,
        hot_cache_gb=profile.hot_cache_gb,
        **roles,
    )


def _entry(profile: Profile, model_id: str, models: Mapping[str, Mapping[str, Any]]) -> Entry:
    if model_id not in models:
        raise OfferError(
            f"profile {profile.name} names a model '{model_id}' that is not in "
            f"closet_models{suggestion(model_id, models)}"
        )
    return read_model(model_id, models[model_id])


def _model(profile: Profile, model_id: str, entry: Entry, revisions: Mapping[str, str]) -> Model:
    context = profile.context.get(model_id, entry.context)
    if entry.context and context > entry.context:
        raise OfferError(
            f"profile {profile.name} gives {model_id} a context of {context} tokens, and the "
            f"model takes {entry.context}"
        )
    revision = str(revisions.get(entry.repo, entry.revision))
    check_written(f"closet_revisions of {entry.repo}", "revision", revision)
    return Model(
        name=entry.name,
        repo=entry.repo,
        tag=entry.tag,
        revision=revision,
        kind=entry.kind,
        title=entry.title,
        size_gb=entry.size_gb,
        context=context,
        output=min(profile.output.get(model_id, entry.output), context or entry.output),
        pinned=model_id in profile.pinned,
        kv_bytes_per_token=entry.kv_bytes_per_token,
        state_mb=entry.state_mb,
        sampling={**entry.sampling, **profile.sampling.get(model_id, {})},
    )


def _check_names(profile: Profile, chosen: Sequence[Model]) -> None:
    seen: dict[str, str] = {}
    for model in chosen:
        source = model.repo or model.tag
        if model.name in seen:
            raise OfferError(
                f"profile {profile.name} serves both {seen[model.name]} and {source} "
                f"as {model.name}"
            )
        seen[model.name] = source


def _check_backend(profile: Profile, chosen: Sequence[Model]) -> None:
    backend = backends()[profile.backend]
    for model in chosen:
        if model.kind not in backend.kinds:
            raise OfferError(
                f"profile {profile.name} lists {model.name}, of kind {model.kind}, and its backend "
                f"{backend.name} serves {', '.join(backend.kinds)}"
            )
        if not getattr(model, backend.source):
            raise OfferError(
                f"profile {profile.name} serves {model.name} with {backend.name}, and the model "
                f"has no {backend.source}"
            )
    if backend.models and len(chosen) > backend.models:
        raise OfferError(
            f"profile {profile.name} lists {len(chosen)} models, and its backend {backend.name} "
            f"holds {'one' if backend.models == 1 else backend.models} at a time: list "
            f"{'one' if backend.models == 1 else backend.models}, or use "
            f"{' or '.join(name for name, one in backends().items() if not one.models)}"
        )


def _role(profile: Profile, role: str, chosen: Mapping[str, Model]) -> str:
    """The served name of the model for a role; the last three may be left to their kind."""
    kind = ROLES[role]
    model_id = profile.roles.get(role)
    if model_id is None:
        if role in ("build", "chat"):
            raise OfferError(f"profile {profile.name} says no model to {role} with: add {role}: …")
        return next((model.name for model in chosen.values() if model.kind == kind), "")
    if model_id not in chosen:
        raise OfferError(
            f"profile {profile.name} uses '{model_id}' to {role}, but does not list it"
            f"{suggestion(model_id, chosen)}"
        )
    if chosen[model_id].kind != kind:
        raise OfferError(
            f"profile {profile.name} uses {model_id} to {role}, and that takes a model of kind "
            f"{kind}; it is of kind {chosen[model_id].kind}"
        )
    return chosen[model_id].name

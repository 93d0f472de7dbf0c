# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a closet offers to its laptops, worked out from the inventory and the lineup.

Pure: values in, an offer or a list of sentences out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.house.names import suggestion

KINDS = ("chat", "embedding", "reranker", "vision")
EXPOSURES = ("loopback", "lan")


class OfferError(ValueError):
    """The inventory asks for something that cannot be offered; the text names it and the fix."""


@dataclass(frozen=True)
class Model:
    """One model of the profile: where it comes from and how it is served.

    size_gb is the memory of its weights (10^9 bytes); context and output are tokens.
    """

    name: str
    repo: str
    revision: str
    kind: str
    title: str
    size_gb: float
    context: int
    output: int
    pinned: bool

    @property
    def source(self) -> dict[str, str]:
        """What a pull of this model needs to know."""
        return {"name": self.name, "repo": self.repo, "revision": self.revision}


@dataclass(frozen=True)
class Offer:
    """One closet: its address, whether the LAN may use it, and the models it serves."""

    host: str
    url: str
    port: int
    exposure: str
    profile: str
    models: tuple[Model, ...]
    build: str
    chat: str

    @property
    def size_gb(self) -> float:
        """Memory of all weights together, 10^9 bytes."""
        return round(sum(model.size_gb for model in self.models), 1)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for playbooks."""
        models = [{**asdict(model), "source": model.source} for model in self.models]
        return {**asdict(self), "models": models, "size_gb": self.size_gb}


def plan(
    host: str,
    wanted: Mapping[str, Any],
    models: Mapping[str, Mapping[str, Any]],
    profiles: Mapping[str, Mapping[str, Any]],
) -> Offer:
    """Work out the offer of the closet `host`.

    Args:
        wanted: `profile`, `exposure`, `port`, `url_host`, `revisions` (commit by repo) of the host.
        models: the catalogue, by model id.
        profiles: the profiles, by name.

    Raises:
        OfferError: an unknown profile, model or exposure, or two models under one served name.
    """
    profile_name = str(wanted["profile"])
    if profile_name not in profiles:
        known = ", ".join(sorted(profiles))
        raise OfferError(
            f"{host}: there is no profile '{profile_name}'{suggestion(profile_name, profiles)} "
            f"closet_profile can be {known}"
        )
    if wanted["exposure"] not in EXPOSURES:
        raise OfferError(
            f"{host}: closet_exposure is '{wanted['exposure']}', it can be loopback or lan"
        )
    profile = profiles[profile_name]
    chosen = tuple(
        _model(host, profile_name, model_id, models, profile, wanted["revisions"])
        for model_id in profile["models"]
    )
    _check_names(host, profile_name, chosen)
    served = dict(zip(profile["models"], (model.name for model in chosen)))
    return Offer(
        host=host,
        url=f"http://{wanted['url_host']}:{wanted['port']}/v1",
        port=int(wanted["port"]),
        exposure=str(wanted["exposure"]),
        profile=profile_name,
        models=chosen,
        build=_role(host, profile_name, profile, "build", served),
        chat=_role(host, profile_name, profile, "chat", served),
    )


def check_client(client: str, model: str, offer: Offer) -> str | None:
    """Return what is wrong with the model a laptop asks for, or None."""
    names = [m.name for m in offer.models if m.kind == "chat"]
    if not model or model in names:
        return None
    return (
        f"{client}: opencode_model is '{model}', but {offer.host} serves {', '.join(names)} "
        f"in its profile {offer.profile}{suggestion(model, names)}"
    )


def _model(
    host: str,
    profile_name: str,
    model_id: str,
    models: Mapping[str, Mapping[str, Any]],
    profile: Mapping[str, Any],
    revisions: Mapping[str, str],
) -> Model:
    if model_id not in models:
        raise OfferError(
            f"{host}: profile {profile_name} names a model '{model_id}' that is not in "
            f"closet_models{suggestion(model_id, models)}"
        )
    entry = models[model_id]
    if entry["kind"] not in KINDS:
        raise OfferError(
            f"{host}: model {model_id} is of kind '{entry['kind']}', it can be {', '.join(KINDS)}"
        )
    return Model(
        name=str(entry["name"]),
        repo=str(entry["repo"]),
        revision=str(revisions.get(entry["repo"], entry.get("revision", "main"))),
        kind=str(entry["kind"]),
        title=str(entry["title"]),
        size_gb=float(entry["size_gb"]),
        context=int(entry.get("context", 0)),
        output=int(entry.get("output", 0)),
        pinned=model_id in profile.get("pinned", ()),
    )


def _check_names(host: str, profile_name: str, chosen: Sequence[Model]) -> None:
    seen: dict[str, str] = {}
    for model in chosen:
        if model.name in seen:
            raise OfferError(
                f"{host}: profile {profile_name} serves both {seen[model.name]} and {model.repo} "
                f"as {model.name}"
            )
        seen[model.name] = model.repo


def _role(
    host: str,
    profile_name: str,
    profile: Mapping[str, Any],
    role: str,
    served: Mapping[str, str],
) -> str:
    model_id = profile[role]
    if model_id not in served:
        raise OfferError(
            f"{host}: profile {profile_name} uses '{model_id}' to {role}, but does not list it"
        )
    return served[model_id]

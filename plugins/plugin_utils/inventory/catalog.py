# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models and profiles of the inventory, checked strictly.

Pure: every entry becomes a frozen value or an error that names the entry and the fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import sizes
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion

KINDS = ("chat", "embedding", "reranker", "vision")
# The uses of a model, and the kind of model that each needs.
ROLES = {
    "build": "chat",
    "chat": "chat",
    "embed": "embedding",
    "rerank": "reranker",
    "vision": "vision",
}
SAMPLING = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1000),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.5, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
MODEL_KEYS = (
    *("name", "repo", "tag", "title", "kind", "size_gb", "revision"),
    *("context", "output", "kv", "sampling"),
)
# They become words of files, addresses and commands on every host.
_WRITTEN = {
    "name": (
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]{0,199}", re.ASCII),
        "made of letters, digits and . _ - (with ollama also :), a letter or digit first",
    ),
    "title": (re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+"), "one line of text"),
    "repo": (
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII),
        "owner/name, as on the hub",
    ),
    "tag": (
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:/-]*", re.ASCII),
        "the name of a model in ollama's library, such as qwen3:8b",
    ),
    "revision": (
        re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*", re.ASCII),
        "a commit, a branch or a tag",
    ),
}
KV_KEYS = ("layers", "heads", "head_dim", "state_mb")
PROFILE_KEYS = (
    *("because", "backend", "models", "pinned", *ROLES),
    *("requests", "hot_cache", "context", "output", "sampling"),
)
DEFAULT_REQUESTS = 2
# 2 (keys, values) x 2 bytes of an f16 number
BYTES_PER_HEAD_DIM = 4
# For a model whose kv is not given: that of a dense model of 30 layers, 8 heads of 128.
UNKNOWN_KV_BYTES_PER_TOKEN = 30 * 8 * 128 * BYTES_PER_HEAD_DIM


class OfferError(ValueError):
    """The inventory asks for something that cannot be served; the text names it and the fix."""


@dataclass(frozen=True)
class Entry:
    """One model of the catalog; size_gb is its weights in 10^9 bytes, context in tokens."""

    name: str
    repo: str
    tag: str
    revision: str
    title: str
    kind: str
    size_gb: float
    context: int
    output: int
    kv_bytes_per_token: int
    state_mb: float
    sampling: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """One profile: model ids, what each is used for, and the limits that hold while it serves."""

    name: str
    because: str
    backend: str
    models: tuple[str, ...]
    pinned: tuple[str, ...]
    roles: Mapping[str, str]
    requests: int
    hot_cache_gb: float
    context: Mapping[str, int]
    output: Mapping[str, int]
    sampling: Mapping[str, Mapping[str, float]]


def read_model(model_id: str, given: Mapping[str, Any]) -> Entry:
    """Read one entry of closet_models; raises OfferError."""
    what = f"model {model_id}"
    given = _mapping(what, given, "name, repo, title, kind and size_gb")
    _known(what, given, MODEL_KEYS)
    for key in ("name", "title", "kind", "size_gb"):
        if given.get(key) in (None, ""):
            raise OfferError(f"{what} has no {key}")
    if not given.get("repo") and not given.get("tag"):
        raise OfferError(f"{what} has neither a repo (of the hub) nor a tag (of ollama)")
    for key in _WRITTEN:
        if given.get(key):
            check_written(f"{key} of {what}", key, str(given[key]))
    if str(given["kind"]) not in KINDS:
        raise OfferError(f"{what} is of kind '{given['kind']}', it can be {', '.join(KINDS)}")
    kv = _mapping(f"kv of {what}", given.get("kv") or {}, ", ".join(KV_KEYS))
    _known(f"kv of {what}", kv, KV_KEYS)
    return Entry(
        name=str(given["name"]),
        repo=str(given.get("repo") or ""),
        tag=str(given.get("tag") or ""),
        revision=str(given.get("revision", "main")),
        title=str(given["title"]),
        kind=str(given["kind"]),
        size_gb=_number(given["size_gb"], f"size_gb of {what}", "10^9 bytes"),
        context=_tokens(given.get("context", 0), f"context of {what}"),
        output=_tokens(given.get("output", 0), f"output of {what}"),
        kv_bytes_per_token=_kv_bytes(what, str(given["kind"]), kv),
        state_mb=_number(kv.get("state_mb", 0), f"kv.state_mb of {what}", "10^6 bytes"),
        sampling=_sampling(what, given.get("sampling") or {}),
    )


def check_written(what: str, key: str, value: str) -> None:
    """Refuse a name, title, repo, tag or revision that is not written as such."""
    pattern, right = _WRITTEN[key]
    if not pattern.fullmatch(value):
        raise OfferError(f"{what} is {value!r}, and it has to be {right}")


def read_profile(name: str, given: Mapping[str, Any]) -> Profile:
    """Read one entry of closet_profiles; raises OfferError."""
    what = f"profile {name}"
    given = _mapping(what, given, "models, build and chat")
    for key in given:
        if key not in PROFILE_KEYS:
            raise OfferError(
                f"{what} has '{key}', which is no role of a model and no setting of a "
                f"profile{suggestion(key, PROFILE_KEYS)} Roles are {', '.join(ROLES)}"
            )
    models = _list(what, "models", given.get("models"))
    if not models:
        raise OfferError(f"{what} lists no models")
    for model_id in models:
        if models.count(model_id) > 1:
            raise OfferError(f"{what} names the model {model_id} twice: take one line out")
    per_model = {
        key: _per_model(what, key, given.get(key), models)
        for key in ("context", "output", "sampling")
    }
    return Profile(
        name=name,
        because=" ".join(str(given.get("because", "")).split()),
        backend=_backend(what, str(given.get("backend", next(iter(backends()))))),
        models=models,
        pinned=_pinned(what, _list(what, "pinned", given.get("pinned")), models),
        roles={role: str(given[role]) for role in ROLES if given.get(role)},
        requests=int(
            _number(given.get("requests", DEFAULT_REQUESTS), f"requests of {what}", "", 1)
        ),
        hot_cache_gb=_hot_cache(what, given.get("hot_cache", 0)),
        context={
            m: _tokens(v, f"context of {m} in {what}") for m, v in per_model["context"].items()
        },
        output={m: _tokens(v, f"output of {m} in {what}") for m, v in per_model["output"].items()},
        sampling={m: _sampling(f"{m} in {what}", v) for m, v in per_model["sampling"].items()},
    )


def _backend(what: str, backend: str) -> str:
    if backend not in backends():
        raise OfferError(
            f"{what} has backend '{backend}'{suggestion(backend, backends())} it can be "
            f"{', '.join(backends())}"
        )
    return backend


def _kv_bytes(what: str, kind: str, kv: Mapping[str, Any]) -> int:
    """Bytes of keys and values per token: 2 x layers x heads x head_dim x 2 bytes."""
    if kind in ("embedding", "reranker"):
        return 0  # they keep nothing between tokens of an answer: they give none
    if not kv:
        return UNKNOWN_KV_BYTES_PER_TOKEN
    parts = [_number(kv.get(key), f"kv.{key} of {what}", "", 1) for key in KV_KEYS[:3]]
    return int(parts[0] * parts[1] * parts[2]) * BYTES_PER_HEAD_DIM


def _sampling(what: str, given: Any) -> dict[str, float]:
    given = _mapping(f"sampling of {what}", given, ", ".join(SAMPLING))
    _known(f"sampling of {what}", given, tuple(SAMPLING))
    for key, value in given.items():
        low, high = SAMPLING[key]
        number = _number(value, f"{key} of {what}", "", low)
        if number > high:
            raise OfferError(f"{key} of {what} is {value}, it can be {low:g} to {high:g}")
    return dict(given)


def _pinned(what: str, pinned: tuple[str, ...], models: Sequence[str]) -> tuple[str, ...]:
    for model_id in pinned:
        if model_id not in models:
            raise OfferError(
                f"{what} pins '{model_id}', but does not list it{suggestion(model_id, models)}"
            )
    return pinned


def _per_model(what: str, key: str, given: Any, models: Sequence[str]) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise OfferError(f"{key} of {what} is {given!r}, and it needs a value per model")
    for model_id in given:
        if model_id not in models:
            raise OfferError(
                f"{what} has {key} for '{model_id}', but does not list it"
                f"{suggestion(model_id, models)}"
            )
    return given


def _hot_cache(what: str, value: Any) -> float:
    try:
        return sizes.read_gb(value, f"hot_cache of {what}")
    except sizes.SizeError as error:
        raise OfferError(str(error)) from error


def _number(value: Any, what: str, unit: str, least: float = 0) -> float:
    try:
        return sizes.number(value, what, unit, least)
    except sizes.SizeError as error:
        raise OfferError(str(error)) from error


def _tokens(value: Any, what: str) -> int:
    return int(_number(value, what, "tokens"))


def _list(what: str, key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise OfferError(f"{key} of {what} is {value!r}, and a list of models is needed")
    return tuple(str(entry) for entry in value)


def _known(what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            raise OfferError(f"{what} has an unknown key '{key}'{suggestion(key, known)}")


def _mapping(what: str, given: Any, keys: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise OfferError(f"{what} is {given!r}, and it has to be a mapping with {keys}")
    return given

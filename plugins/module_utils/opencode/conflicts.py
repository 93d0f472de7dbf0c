# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person's own configuration of opencode and the closet's meet, and which of the two wins.

Pure: the text of a file in, a sentence out. The lock beats everything; the defaults of the
inventory are below every file of the person. No value of the file is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.jsonc import JsonTextError, read

PROVIDER = "closet"
# Top-level keys of the lock that hold one value, which nobody else sets with effect.
LOCKED = ("enabled_providers", "disabled_providers", "autoupdate", "share", "autoshare")
# Keys of the lock inside its provider; others of a person's are added to them.
LOCKED_PROVIDER = ("npm", "name", "whitelist", "blacklist")
LOCKED_OPTIONS = ("baseURL", "apiKey", "timeout", "headerTimeout", "chunkTimeout")
MODEL_KEYS = ("model", "small_model")


@dataclass(frozen=True)
class Closet:
    """What the inventory made of this laptop: served chat models, and the keys it gave values to.

    `locked_permission` are the permissions of the lock; `agents` those that have a default model.
    """

    models: tuple[str, ...]
    locked_permission: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


def sentence(path: str, text: str, closet: Closet) -> str | None:
    """Everything about one file in one sentence, or None when nothing in it meets the closet's."""
    try:
        own = read(text)
    except JsonTextError as error:
        return (
            f"{path} cannot be read ({error}), so opencode does not start there: mend it. "
            "Nothing was changed in it."
        )
    if own is None:
        return None
    if not isinstance(own, Mapping):
        return f"{path} is not an object, so opencode does not start there: mend it."
    told = list(_told(own, closet))
    return f"{path} is yours and was left alone: {'; '.join(told)}." if told else None


def _told(own: Mapping[str, Any], closet: Closet) -> Iterator[str]:
    models = dict(_models(own))
    lost = list(_lost(own, closet))
    if lost:
        verb = "has" if len(lost) == 1 else "have"
        yield f"{_and(lost)} {verb} no effect, since the closet's lock wins"
    foreign = [place for place, model in models.items() if not _served(model, closet.models)]
    if foreign:
        verb = "names" if len(foreign) == 1 else "name"
        yield f"{_and(foreign)} {verb} what the closet does not serve, so what uses it fails"
    if "model" in models and "model" not in foreign and closet.agents:
        yield (
            f"model does not count for the agents {_and(closet.agents)}, which have models of "
            f"their own: set agent.{closet.agents[0]}.model instead"
        )
    ours = ("small_model", *(f"agent.{agent}.model" for agent in closet.agents))
    wins = [place for place in ours if place in models and place not in foreign]
    if wins:
        yield f"{_and(wins)} {'wins' if len(wins) == 1 else 'win'} over the inventory's"


def _lost(own: Mapping[str, Any], closet: Closet) -> Iterator[str]:
    yield from (key for key in LOCKED if key in own)
    providers = _mapping(own, "provider")
    for name, provider in providers.items():
        if name != PROVIDER:
            yield f"provider.{name}"
            continue
        mine = provider if isinstance(provider, Mapping) else {}
        yield from (f"provider.{name}.{key}" for key in LOCKED_PROVIDER if key in mine)
        options = _mapping(mine, "options")
        yield from (f"provider.{name}.options.{key}" for key in LOCKED_OPTIONS if key in options)
        models = _mapping(mine, "models")
        yield from (f"provider.{name}.models.{model}" for model in models)
    permission = _mapping(own, "permission")
    yield from (f"permission.{key}" for key in closet.locked_permission if key in permission)


def _models(own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in MODEL_KEYS:
        if isinstance(own.get(key), str):
            yield key, own[key]
    for group in ("agent", "mode"):
        for name, agent in _mapping(own, group).items():
            if isinstance(agent, Mapping) and isinstance(agent.get("model"), str):
                yield f"{group}.{name}.model", agent["model"]


def _served(model: str, served: Sequence[str]) -> bool:
    provider, _slash, name = model.partition("/")
    return provider == PROVIDER and name in served


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

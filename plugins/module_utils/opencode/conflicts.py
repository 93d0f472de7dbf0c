# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conflicts between a person's configuration of opencode and the closet's.

Pure: the text of a file in, a sentence out. The lock takes precedence over all files, and every
file of the person takes precedence over the defaults of the inventory. No value of a file is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.jsonc import JsonTextError, read
from ansible_collections.closet.inference.plugins.module_utils.opencode import permissions

PROVIDER = "closet"
# Top-level keys of the lock with a single value; other files cannot change them.
LOCKED = ("enabled_providers", "disabled_providers", "autoupdate", "share", "autoshare")
# Keys of the lock inside its provider; others of a person's are added to them.
LOCKED_PROVIDER = ("npm", "name", "whitelist", "blacklist")
LOCKED_OPTIONS = ("baseURL", "apiKey", "timeout", "headerTimeout", "chunkTimeout")
MODEL_KEYS = ("model", "small_model")


@dataclass(frozen=True)
class Closet:
    """What the inventory made of this laptop: served chat models, and the keys it gave values to.

    `permission` are those of the lock; `agents` have a default model; in those that are `held` the
    permissions of the lock are the last.
    """

    models: tuple[str, ...]
    permission: Mapping[str, Any] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    held: tuple[str, ...] = permissions.agents_held({})


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
    yield from _loose(own, closet)
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
    locked = closet.permission
    yield from (
        f"permission.{key}" for key in permissions.without_effect(locked, own.get("permission"))
    )
    yield from (f"tools.{key}" for key in _mapping(own, "tools") if key in locked)
    for place, is_held, value in _of_agents(own, closet):
        if is_held:
            yield from (f"{place}.{key}" for key in permissions.without_effect(locked, value))


def _loose(own: Mapping[str, Any], closet: Closet) -> Iterator[str]:
    """What the lock does not hold."""
    after = list(permissions.loosening(closet.permission, own.get("permission")))
    if after:
        places = dict.fromkeys(f"permission['{wildcard}']" for wildcard, _key in after)
        keys = list(dict.fromkeys(key for _wildcard, key in after))
        yield (
            f"{_and(list(places))} after {_and(keys)} counts in agents that you name yourself: the "
            f"lock holds {_and(keys)} in {_and(closet.held)} alone"
        )
    for place, is_held, value in _of_agents(own, closet):
        met = permissions.met(closet.permission, value)
        if met and not is_held:
            yield (
                f"{place} decides {_and(met)} for that agent: the lock holds it in "
                f"{_and(closet.held)} alone"
            )


def _of_agents(own: Mapping[str, Any], closet: Closet) -> Iterator[tuple[str, bool, Any]]:
    """(place, whether the lock holds it, value) of the permissions of agents, in both spellings."""
    for group, held in (("agent", closet.held), ("mode", permissions.PRIMARY)):
        for name, agent in _mapping(own, group).items():
            if isinstance(agent, Mapping):
                for key in ("permission", "tools"):
                    if key in agent:
                        yield f"{group}.{name}.{key}", name in held, agent[key]


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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omlx's keys: one main key, which also opens the admin pages, and sub keys, which do not; pure.

A sub key is ours if its name in omlx starts with OURS. Sub keys that a person created in omlx's
admin pages stay. Source: omlx v0.5.0, omlx/admin/auth.py and routes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OURS = "closet:"
SHORTEST = 4


@dataclass(frozen=True)
class Keys:
    """What opens one server: the main key ("" for none) and each sub key with its name."""

    main: str
    subs: Mapping[str, str]

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, the main one first."""
        return (*filter(None, [self.main]), *self.subs)


@dataclass(frozen=True)
class KeyStep:
    """One change in the running server: `main`, `add` or `remove`, with the key it is about."""

    verb: str
    key: str
    name: str = ""


def complaint(key: str) -> str | None:
    """What is wrong with a key as omlx judges it, or None."""
    if len(key) >= SHORTEST and key.isascii() and key.isprintable() and " " not in key:
        return None
    return (
        f"cannot be used: omlx wants {SHORTEST} or more printable ASCII characters and no space "
        "among them"
    )


class KeysUnusableError(ValueError):
    """The list of keys itself makes no sense."""


def by_name(client_keys: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The keys of a task by name; raises KeysUnusableError for a name that stands twice."""
    names = [str(entry["name"]) for entry in client_keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise KeysUnusableError(f"client_keys names {', '.join(twice)} more than once")
    return {str(entry["name"]): str(entry["key"]) for entry in client_keys}


def problems(api_key: str | None, client_keys: Mapping[str, str] | None) -> list[str]:
    """A sentence for each key that omlx would refuse, none of them showing one."""
    places = {"api_key": api_key} if api_key else {}
    places.update({f"the key of {name}": key for name, key in (client_keys or {}).items()})
    found = [f"{place} {wrong}" for place, key in places.items() if (wrong := complaint(key))]
    owner: dict[str, str] = {}
    for place, key in places.items():
        if owner.setdefault(key, place) != place:
            found.append(f"{place} is the same as {owner[key]}; each needs its own")
    return found


def merged_subs(have: Any, client_keys: Mapping[str, str]) -> list[dict[str, str]]:
    """The list for settings.json: what is not ours stays, of ours exactly the wanted ones."""
    entries = [entry for entry in have if isinstance(entry, dict)] if isinstance(have, list) else []
    wanted = {key: name for name, key in client_keys.items()}
    kept = [
        entry
        for entry in entries
        if entry.get("key") in wanted or not str(entry.get("name", "")).startswith(OURS)
    ]
    there = {entry.get("key") for entry in kept}
    return kept + [
        {"key": key, "name": f"{OURS}{name}", "created_at": ""}
        for key, name in wanted.items()
        if key not in there
    ]


def from_auth(auth: Any) -> Keys:
    """The keys in an `auth` section, of the file or of the server's answer."""
    section = auth if isinstance(auth, dict) else {}
    subs = section.get("sub_keys")
    entries = [entry for entry in subs if isinstance(entry, dict)] if isinstance(subs, list) else []
    return Keys(
        main=str(section.get("api_key") or ""),
        subs={str(entry["key"]): str(entry.get("name", "")) for entry in entries if "key" in entry},
    )


def plan(want: Keys, have: Keys) -> list[KeyStep]:
    """The steps from one set of keys to the other; what is new opens before what is old closes."""
    steps = []
    if want.main != have.main:
        steps.append(KeyStep("main", want.main))
    steps += [KeyStep("add", key, want.subs[key]) for key in want.subs if key not in have.subs]
    steps += [KeyStep("remove", key) for key in have.subs if key not in want.subs]
    return steps


def closed(steps: Sequence[KeyStep], have: Keys, want: Keys) -> list[str]:
    """The keys that opened the server before the steps and may not afterwards."""
    gone = [step.key for step in steps if step.verb == "remove"]
    gone += [have.main] if any(step.verb == "main" for step in steps) else []
    return [key for key in gone if key and key not in want.all]


def changed_names(steps: Iterable[KeyStep]) -> list[str]:
    """The settings that the steps change, by name."""
    verbs = {step.verb for step in steps}
    names = ["auth.api_key"] if "main" in verbs else []
    return names + (["auth.sub_keys"] if verbs & {"add", "remove"} else [])

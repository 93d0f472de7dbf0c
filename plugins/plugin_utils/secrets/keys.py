# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API keys of one closet: the main key, and a client key for each laptop; pure.

They are on the controller, beside the inventory: `<closet>.key` is the main key, which also opens
the admin pages, and `<closet>/<laptop>.key` a client key. A revoked key moves to
`<closet>/revoked/` and stays there until a run has checked that it opens nothing.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAIN = "main"
ALL = "all"
GIVEN_MAIN = "closet_api_key"
GIVEN_LAPTOP = "closet_client_key"
LENGTH = 40
SHORTEST = 16
# what may stand after "Bearer" (RFC 6750, b64token): nothing that a header, a shell or a
# configuration file could take for its own
BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class KeysRefusedError(ValueError):
    """The keys cannot be used as they are; the text names them by their place, never by value."""


@dataclass(frozen=True)
class Step:
    """One change of the store: `create`, `rotate` or `retire` the key of `name`."""

    verb: str
    name: str


def given(hostvars: Any, closet: str, laptops: Iterable[str]) -> dict[str, str]:
    """The keys that the inventory brings, by name: a closet's `closet_api_key`, a laptop's own.

    `hostvars` is Ansible's; only what is set is templated, which is what costs with many hosts.
    """
    found = {}
    for name in (MAIN, *laptops):
        host = closet if name == MAIN else name
        variable = GIVEN_MAIN if name == MAIN else GIVEN_LAPTOP
        if variable in hostvars.raw_get(host):
            found[name] = str(hostvars[host][variable])
    return found


def place(closet: str, name: str) -> str:
    """How a person finds a key that the inventory brings."""
    return f"{closet}: {GIVEN_MAIN}" if name == MAIN else f"{name}: {GIVEN_LAPTOP}"


def unusable_names(closet: str, laptops: Iterable[str]) -> list[str]:
    """An error for each laptop whose name cannot be that of a key."""
    return [
        f"{name}: a laptop of {closet} cannot have this name, which its key would carry: rename it "
        "in the inventory"
        for name in laptops
        if name in (MAIN, ALL) or "/" in name or "," in name or name.startswith(".")
    ]


def placeholder(name: str) -> str:
    """What a check mode run shows in place of a key that only a real run makes."""
    return f"made-by-a-real-run-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def error(key: str) -> str | None:
    """What makes a key unusable, or None."""
    if not key.strip():
        return "is empty"
    if len(key.splitlines()) > 1:
        return "has more than one line"
    if len(key) < SHORTEST:
        return f"is too short: {SHORTEST} characters are the least, {LENGTH} are what we make"
    if not BEARER.fullmatch(key):
        return "has characters other than letters, digits and . _ ~ + / - ="
    return None


def errors(keys: Mapping[str, str], ours: Collection[str] = ()) -> list[str]:
    """An error for each unusable key and for each two that are one; `keys` is by place.

    `ours` are the places of keys that we make, so that a bad one needs no other from its owner.
    """
    found = [
        f"{place} {wrong}; {_remedy(place, place in ours)}"
        for place, key in keys.items()
        if (wrong := error(key))
    ]
    owner: dict[str, str] = {}
    for place, key in keys.items():
        if owner.setdefault(key, place) != place:
            found.append(
                f"{place} is the same key as {owner[key]}: each needs its own, so that one can be "
                "taken away without the other"
            )
    return found


def _remedy(place: str, is_ours: bool) -> str:
    if is_ours:
        return f"remove it with `rm {shlex.quote(place)}` and run this again, which makes another"
    return "`openssl rand -hex 20` makes a good one"


def names_to_rotate(wanted: str, names: Iterable[str], given: Iterable[str]) -> list[str]:
    """Whose keys to replace: `wanted` is empty, `all`, or names separated by commas.

    Raises KeysRefusedError for a name that has no key here, or one whose key is the owner's own.
    """
    known, own = list(names), set(given)
    chosen = [name.strip() for name in wanted.split(",") if name.strip()]
    if chosen == [ALL]:
        return [name for name in known if name not in own]
    for name in chosen:
        if name not in known:
            raise KeysRefusedError(
                f"rotate is '{name}', and there is no such key; it can be {ALL}, {', '.join(known)}"
            )
        if name in own:
            raise KeysRefusedError(
                f"rotate is '{name}', whose key is given in the inventory: change it there"
            )
    return chosen


def plan(
    wanted: Iterable[str], given: Iterable[str], stored: Iterable[str], rotate: Iterable[str]
) -> list[Step]:
    """What to do so that the store holds a key for each wanted name that brings none of its own.

    Args:
        wanted: `main` and the laptops of this closet.
        given: those of them whose key is in the inventory.
        stored: the names that the store has a key for now.
        rotate: the names that get another one.
    """
    here = set(stored)
    ours = [name for name in wanted if name not in set(given)]
    steps = [Step("retire", name) for name in sorted(here - set(ours))]
    for name in ours:
        if name not in here:
            steps.append(Step("create", name))
        elif name in set(rotate):
            steps.append(Step("rotate", name))
    return steps

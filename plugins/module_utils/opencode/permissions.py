# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the permissions of the lock are written so that they are the last that opencode matches.

Pure. The order is that of opencode 1.18 (`opencode debug agent NAME` prints it): its own rules, the
top-level `permission` and `OPENCODE_PERMISSION`, then those of the agent; the last match counts.
Where two files name the same key, the first one gives the place and the lock the value. So a
project that names a key of the lock and `*` after it would win with `*`. Two things keep the lock
last: it names its permissions once more for each agent that opencode has, and there by a second
name, `KEY *`, which a project has no reason to know. A tool's name holds no space, so that name
matches what KEY matches and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Agents that opencode itself has and that use tools. What a file says under the older key `mode`
# is laid over `agent`, and makes the agent a primary one: only those can be held there.
PRIMARY = ("build", "plan")
SUBAGENTS = ("explore", "general")
AGAIN = " *"
EVERYTHING = "*"


def held(
    permission: Mapping[str, Any], agents: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The keys `agent` and `mode` of the lock, for the permissions of all agents and of each.

    `agents` is what the inventory says of them; their own `permission` comes after the common one.
    """
    lock: dict[str, dict[str, Any]] = {"agent": {}, "mode": {}}
    for name in agents_held(agents):
        rules = _joined(permission, agents.get(name, {}).get("permission") or {})
        if not rules:
            continue
        twice = {**rules, **{f"{key}{AGAIN}": rule for key, rule in rules.items()}}
        primary = name in PRIMARY and agents.get(name, {}).get("mode", "primary") == "primary"
        lock["mode" if primary else "agent"][name] = {"permission": twice}
    return lock


def agents_held(agents: Mapping[str, Any]) -> tuple[str, ...]:
    """Agents in which the lock's permissions are the last."""
    return tuple(dict.fromkeys((*PRIMARY, *SUBAGENTS, *agents)))


def _joined(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both as one mapping, in the order in which they count."""
    rules = {key: rule for key, rule in common.items() if key not in own}
    for key, rule in own.items():
        rules[key] = rule
        if key in common and isinstance(rule, Mapping):
            others = {at: it for at, it in _patterns(common[key]).items() if at not in rule}
            rules[key] = {**others, **rule}
    return rules


def _patterns(rule: Any) -> dict[str, Any]:
    return dict(rule) if isinstance(rule, Mapping) else {EVERYTHING: rule}


def without_effect(locked: Mapping[str, Any], own: Any) -> Iterator[str]:
    """Keys of a person's `permission` whose value the lock replaces, as `key` or `key['pattern']`.

    Of patterns those that the lock names too; others are added to the lock's and come before them.
    """
    for key, rule in _keys(own).items():
        if key not in locked:
            continue
        if isinstance(rule, Mapping) and isinstance(locked[key], Mapping):
            yield from (f"{key}['{pattern}']" for pattern in rule if pattern in locked[key])
        else:
            yield key


def loosening(locked: Mapping[str, Any], own: Any) -> Iterator[tuple[str, str]]:
    """(wildcard of a person's, key of the lock) where the wildcard stands after the key.

    It counts in agents that the lock does not hold.
    """
    keys = list(_keys(own))
    for place, wildcard in enumerate(keys):
        for key in keys[:place]:
            if key in locked and wildcard != key and matches(wildcard, key):
                yield wildcard, key


def met(locked: Mapping[str, Any], own: Any) -> list[str]:
    """Keys of the lock that a `permission` or `tools` of an agent of the person's own decides."""
    return [key for key in locked if any(matches(name, key) for name in _keys(own))]


def matches(pattern: str, name: str) -> bool:
    """As opencode matches the name of a permission."""
    begin = pattern[: -len(AGAIN)] if pattern.endswith(AGAIN) else pattern
    regex = re.escape(begin).replace(r"\*", ".*").replace(r"\?", ".")
    end = "( .*)?" if pattern.endswith(AGAIN) else ""
    return re.fullmatch(regex + end, name, re.DOTALL) is not None


def _keys(own: Any) -> Mapping[str, Any]:
    if isinstance(own, Mapping):
        return own
    return {EVERYTHING: own} if isinstance(own, str) else {}

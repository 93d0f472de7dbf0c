# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings of its models a running omlx has to be told; a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """The keys to send for one model, and what they were; None clears a key."""

    model: str
    keys: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def pins(self) -> bool:
        """Whether the model shall now stay loaded, which omlx does only when told to load it."""
        return self.keys.get("is_pinned") is True


def plan(wanted: Mapping[str, Mapping[str, Any]], have: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes for the server that has `have`, settings by model.

    Nothing for a server of other models: a restart brings it the wanted ones, and telling the old
    ones would be for nothing. Only what differs is sent, since omlx unloads a model for some keys
    even when they are what they were.
    """
    if set(wanted) != set(have):
        return ()
    changes = []
    for model, keys in wanted.items():
        now = have[model] or {}
        differs = {key: value for key, value in keys.items() if not _same(now.get(key), value)}
        if differs:
            changes.append(Change(model, differs, {key: now.get(key) for key in differs}))
    return tuple(changes)


def names(changes: Iterable[Change]) -> list[str]:
    """The settings that the changes are about, by name."""
    return [f"models.{change.model}.{key}" for change in changes for key in change.keys]


def _same(now: Any, wanted: Any) -> bool:
    # a flag that nobody set is off
    if isinstance(wanted, bool):
        return bool(now) == wanted
    return bool(now == wanted)

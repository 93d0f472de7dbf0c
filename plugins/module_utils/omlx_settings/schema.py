# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings the installed omlx reads: what it said itself, or else the table of known.py.

omlx says which keys there are and of what kind; the table knows choices and limits of some. The
question was asked once, when its environment was built, so it costs a run no more than a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import environment_answer
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.known import (
    KINDS,
    MODEL,
    PINNED,
    SETTINGS,
    SUCCESSORS,
)
from ansible_collections.closet.inference.plugins.module_utils.schema import (
    Check,
    nearest,
    number,
)

Rules = Mapping[str, Check]


@dataclass(frozen=True)
class Schema:
    """The keys of settings.json by section, and those of a model in model_settings.json."""

    program: str
    settings: Mapping[str, Rules]
    model: Rules
    asked: bool = False

    def no_section(self, section: str) -> str:
        """What to say of a section that this omlx does not have."""
        return f"{self.program} has no section '{section}'{_hint(section, self.settings)}"

    def no_key(self, section: str, key: str) -> str:
        """What to say of a key that this omlx does not have in a section that it has."""
        elsewhere = [name for name, keys in self.settings.items() if key in keys]
        hint = f"; it is in '{elsewhere[0]}'" if elsewhere else _hint(key, self.settings[section])
        return f"{self.program} has no key '{key}' in section '{section}'{hint}"

    def no_model_key(self, model: str, key: str) -> str:
        """What to say of a key of a model that this omlx does not have."""
        told = f"{self.program} has no key '{key}' for a model ({model})"
        now = [one for one in SUCCESSORS.get(key, ()) if one in self.model]
        if now:
            return f"{told} and would ignore it; it has {' and '.join(now)} instead"
        before = [old for old, new in SUCCESSORS.items() if key in new and old in self.model]
        if before:
            return f"{told}; it has {before[0]} instead"
        return f"{told}{_hint(key, self.model)}"

    def ignored(self, models: Any) -> list[str]:
        """A sentence for each key in model_settings.json that an older omlx had a use for."""
        entries = models.get("models") if self.asked and isinstance(models, dict) else None
        return [
            f"model_settings.json: {self.no_model_key(name, key)}"
            for name, keys in (entries.items() if isinstance(entries, dict) else ())
            for key in (keys if isinstance(keys, dict) else ())
            if key in SUCCESSORS and key not in self.model
        ]


RETIRED: Rules = {"mtp_num_draft_tokens": number(1)}
"""Rules for the keys that the table's omlx has no more."""

TABLE = Schema(PINNED, SETTINGS, MODEL)
"""Of the omlx that the collection pins, for one that was never asked."""


def of_program(path: str | None) -> Schema:
    """The schema of the omlx whose environment is at `path`."""
    return from_answer(environment_answer.read(path)) if path else TABLE


def from_answer(answer: Mapping[str, Any]) -> Schema:
    """The schema that roles/omlx/files/closet_omlx_ask.py told; the table's where it told none."""
    sections, model = answer.get("settings"), answer.get("model")
    if not isinstance(sections, dict) or not isinstance(model, dict) or not model:
        return TABLE
    return Schema(
        str(answer.get("program") or "this omlx"),
        {
            name: _rules(keys, SETTINGS.get(name, {}))
            for name, keys in sections.items()
            if isinstance(keys, dict)
        },
        _rules(model, {**MODEL, **RETIRED}),
        asked=True,
    )


def _rules(kinds: Mapping[str, Any], known: Rules) -> dict[str, Check]:
    return {
        key: known.get(key) or KINDS.get(str(kind), KINDS["any"]) for key, kind in kinds.items()
    }


def _hint(name: str, known: Iterable[str]) -> str:
    meant = nearest(name, known)
    if meant:
        return f"; did you mean '{meant}'?"
    return "; if it reads it all the same, say unchecked: true"

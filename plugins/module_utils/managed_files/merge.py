# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep our entries in a JSON file that an app or a person also edits, and record them.

A record beside the file names our entries, because JSON has no place for markers. It is written
before the file with the old and the new entries, and after it with the new ones. So after a power
cut every entry of ours is on record, and no entry of the person is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.jsonc import (
    JsonTextError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.entries import (
    MISSING,
    Part,
    Place,
    completed,
    containers_missing,
    is_there,
    same,
    shown,
    value_at,
    with_entry,
    without_entry,
)

VERSION = 1


class MergeRefusedError(ValueError):
    """The file cannot take our entries as it is; the message is the end of a sentence about it."""


class UnreadableError(MergeRefusedError):
    """The file cannot be parsed, so the place of our entries is unknown."""


@dataclass(frozen=True)
class Entry:
    """One value at one place; a `partial` one lets an app add members of its own to it."""

    place: Place
    value: Any
    partial: bool = False


@dataclass(frozen=True)
class Record:
    """What is ours: the places of our entries, and the containers that were made for them.

    The container () is the file itself.
    """

    places: tuple[Place, ...] = ()
    made: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Merged:
    """The new text, and the record before and after it is written; None is no file."""

    text: str | None
    before: Record | None
    after: Record | None


def merged(text: str | None, record: Record, entries: Sequence[Entry]) -> Merged:
    """The new content of the file and its record; raises MergeRefusedError."""
    wanted = tuple(entry.place for entry in entries)
    old = "" if text is None else text
    try:
        _check_unmanaged(old, record, entries)
        new = old
        for place in record.places:
            if place not in wanted:
                new = without_entry(new, place)
        new, kept = _pruned(new, record.made, wanted)
        made = list(kept)
        if text is None and () not in made:
            made.append(())
        for entry in entries:
            made += [at for at in containers_missing(new, entry.place) if at and at not in made]
            new = with_entry(new, entry.place, entry.value, entry.partial)
    except JsonTextError as error:
        raise UnreadableError(str(error)) from error
    nothing = not entries and (text is None or (() in record.made and not new.strip()))
    both = Record(_union(record.places, wanted), _union(record.made, made))
    after = Record(wanted, tuple(made)) if entries else None
    return Merged(None if nothing else new, both if both.places else None, after)


def alone(entries: Sequence[Entry]) -> str:
    """The text of a file with these entries alone, to show a person who inserts them by hand."""
    text = ""
    for entry in entries:
        text = with_entry(text, entry.place, entry.value)
    return text


def read_record(data: bytes) -> Record:
    """The record as it was written; raises MergeRefusedError."""
    try:
        told = json.loads(data)
        if told["version"] != VERSION:
            raise ValueError(f"its version is {told['version']}")
        return Record(_places(told["entries"]), _places(told["made"]))
    except (ValueError, KeyError, TypeError) as error:
        raise MergeRefusedError(
            f"cannot be understood ({error}); it says which entries came from us: remove it, and "
            "those entries, by hand"
        ) from error


def record_data(record: Record, path: str) -> bytes:
    """The record's content; `path` tells a reader which file it is about."""
    told = {
        "about": f"entries of closet.inference in {path}",
        "version": VERSION,
        "entries": [list(place) for place in record.places],
        "made": [list(place) for place in record.made],
    }
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


def _check_unmanaged(text: str, record: Record, entries: Sequence[Entry]) -> None:
    for entry in entries:
        found = value_at(text, entry.place)
        goal = completed(found, entry.value) if entry.partial else entry.value
        if found is MISSING or entry.place in record.places or same(found, goal):
            continue
        raise MergeRefusedError(
            f"has an entry {shown(entry.place)} that did not come from us; give ours another name, "
            "or remove that one by hand"
        )


def _pruned(
    text: str, made: Sequence[Place], wanted: Sequence[Place]
) -> tuple[str, tuple[Place, ...]]:
    """`text` without the containers that were made for entries which are gone; those that stay."""
    gone = set()
    for place in sorted(made, key=len, reverse=True):
        found = value_at(text, place) if is_there(text, place) else MISSING
        needed = any(goal[: len(place)] == place for goal in wanted)
        empty = found in ({}, []) or (place and found == place[-1])  # or has its name alone
        if empty and not needed:
            text = without_entry(text, place) if place else _without_brackets(text)
            found = MISSING
        if found is MISSING:
            gone.add(shown(place))
    # in the order in which they are on record, or it would be written anew by each run
    return text, tuple(place for place in made if shown(place) not in gone)


def _without_brackets(text: str) -> str:
    """The text, or nothing if it is only an empty root without a comment."""
    return "" if text.strip() in ("{}", "[]") else text


def _union(one: Sequence[Place], other: Sequence[Place]) -> tuple[Place, ...]:
    return (*one, *(place for place in other if place not in one))


def _places(told: Any) -> tuple[Place, ...]:
    found: list[Place] = []
    for steps in told:
        parts: list[Part] = [step if isinstance(step, (str, dict)) else str(step) for step in steps]
        found.append(tuple(parts))
    return tuple(found)

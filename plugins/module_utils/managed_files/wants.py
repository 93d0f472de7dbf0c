# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted files: the checked options of the task, with all edits of one file together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.managed_files.entries import (
    Place,
    shown,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.merge import Entry
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    Edit,
    FilesRefusedError,
    Want,
)

KINDS = ("content", "block", "line", "link", "merge")
TEXTS = ("content", "block", "line")
MARKER = re.compile(r"^# (BEGIN|END) closet\.inference ", re.MULTILINE)


def parse_wants(
    entries: Sequence[Mapping[str, Any]], secret_contents: Sequence[str] = ()
) -> tuple[Want, ...]:
    """Check every entry; raises FilesRefusedError with the first one that cannot be meant.

    The text of a secret entry is a number: its place in `secret_contents`.
    """
    wants: dict[str, Want] = {}
    for entry in entries:
        want = _want(_revealed(entry, secret_contents))
        earlier = wants.get(want.path)
        wants[want.path] = want if earlier is None else _joined(earlier, want)
    records = [want.record for want in wants.values() if want.record]
    for record in records:
        if record in wants or records.count(record) > 1:
            raise FilesRefusedError(f"{record} is a record, and something else is to be there too")
    return tuple(wants.values())


def _revealed(entry: Mapping[str, Any], secret_contents: Sequence[str]) -> dict[str, Any]:
    revealed = dict(entry)
    for kind in TEXTS:
        if entry.get("secret") and entry.get(kind) is not None:
            revealed[kind] = secret_contents[int(entry[kind])]
    if entry.get("secret") and entry.get("merge") is not None:
        revealed["merge"] = json.loads(secret_contents[int(entry["merge"])])
    return revealed


def _want(entry: Mapping[str, Any]) -> Want:
    path = _checked_path(entry.get("path"))
    given = [kind for kind in KINDS if entry.get(kind) is not None]
    if len(given) > 1:
        raise FilesRefusedError(f"{path}: give one of {', '.join(given)}, not several")
    base = Want(
        path=path,
        kind="file",
        owner=_name(entry, "owner"),
        group=_name(entry, "group"),
        mode=_mode(path, entry.get("mode")),
        validate=_validator(path, entry.get("validate")),
        secret=bool(entry.get("secret")),
        program=bool(entry.get("program")),
    )
    if base.program and base.owner:
        raise FilesRefusedError(f"{path}: a program has the owner of its folder; leave owner out")
    state = entry.get("state") or "present"
    if state == "directory":
        return _directory(base, given, entry.get("only"))
    if state == "absent":
        return _absent(base, entry, given)
    if not given:
        raise FilesRefusedError(
            f"{path}: nothing says what it must contain; give template, content, block, line, "
            "merge or link, or state directory or absent"
        )
    return _present(base, entry, given[0])


def _directory(base: Want, given: Sequence[str], only: Sequence[Any] | None) -> Want:
    if given:
        raise FilesRefusedError(f"{base.path}: a directory has no {given[0]}")
    if base.validate:
        raise FilesRefusedError(f"{base.path}: a directory has no content to validate")
    return replace(base, kind="directory", only=None if only is None else tuple(map(str, only)))


def _absent(base: Want, entry: Mapping[str, Any], given: Sequence[str]) -> Want:
    if entry.get("block_name"):
        name = _block_name(base.path, entry)
        edit = Edit("block", False, None, name=name, fits=_fits(base.path, entry))
        return replace(base, kind="edits", edits=(edit,))
    if entry.get("match") or entry.get("line") is not None:
        edit = Edit("line", False, entry.get("line"), match=_pattern(base.path, entry))
        return replace(base, kind="edits", edits=(edit,))
    if given:
        raise FilesRefusedError(f"{base.path}: an absent file has no {given[0]}")
    return replace(base, kind="absent")


def _present(base: Want, entry: Mapping[str, Any], kind: str) -> Want:
    if kind == "merge":
        return _merge(base, entry)
    text = str(entry[kind])
    if kind == "content":
        return replace(base, data=text.encode("utf-8", "surrogateescape"))
    if kind == "block":
        if MARKER.search(text):
            raise FilesRefusedError(f"{base.path}: a block cannot hold a block's marker lines")
        fits = _fits(base.path, entry)
        name = _block_name(base.path, entry)
        edit = Edit("block", True, text, name=name, fits=fits, secret=base.secret)
        return replace(base, kind="edits", edits=(edit,))
    if kind == "line":
        if "\n" in text:
            raise FilesRefusedError(f"{base.path}: a line cannot hold a line feed; use block")
        edit = Edit("line", True, text, match=_pattern(base.path, entry))
        return replace(base, kind="edits", edits=(edit,))
    if base.mode is not None or base.validate:
        raise FilesRefusedError(
            f"{base.path}: a symbolic link has neither mode nor content to validate"
        )
    if not text or text.startswith("~"):
        raise FilesRefusedError(f"{base.path}: '{text}' is no link target; write the path out")
    return replace(base, kind="link", target=text)


def _merge(base: Want, entry: Mapping[str, Any]) -> Want:
    record = str(entry.get("record") or "")
    if not record:
        raise FilesRefusedError(
            f"{base.path}: merge needs a record, a path for the list of the entries that are ours"
        )
    if not isinstance(entry["merge"], list):
        raise FilesRefusedError(f"{base.path}: merge is a list of entries, each with at and value")
    entries = tuple(_merge_entry(base.path, told) for told in entry["merge"])
    places = [told.place for told in entries]
    for at, place in enumerate(places):
        for other in places[at + 1 :]:
            shorter = min(len(place), len(other))
            if place[:shorter] == other[:shorter]:
                raise FilesRefusedError(
                    f"{base.path}: {shown(place)} and {shown(other)} are one entry or one in the "
                    "other; say each once"
                )
    return replace(base, kind="merge", entries=entries, record=_checked_path(record))


def _merge_entry(path: str, told: Any) -> Entry:
    if not isinstance(told, Mapping) or set(told) - {"partial"} != {"at", "value"}:
        raise FilesRefusedError(
            f"{path}: an entry of merge has at and value, perhaps partial, and nothing else"
        )
    at = told["at"]
    steps = [at] if isinstance(at, str) else at
    good = isinstance(steps, list) and bool(steps)
    if not good or not all(isinstance(step, (str, dict)) and step for step in steps):
        raise FilesRefusedError(
            f"{path}: at is a list of names; a dictionary in it is the element of an array that "
            "has these values"
        )
    place: Place = tuple(steps)
    if isinstance(place[-1], dict):
        chosen, value = place[-1], told["value"]
        if not isinstance(value, dict) or any(value.get(key) != chosen[key] for key in chosen):
            raise FilesRefusedError(
                f"{path}: the value at {shown(place)} has to have what it is found by"
            )
    return Entry(place, told["value"], bool(told.get("partial")))


def _joined(earlier: Want, later: Want) -> Want:
    """Several blocks and lines may live in one file; anything else named twice is a mistake."""
    if earlier.kind != "edits" or later.kind != "edits":
        raise FilesRefusedError(
            f"{later.path} is listed twice; only blocks and lines may share a file"
        )
    names = [edit.name for edit in (*earlier.edits, *later.edits) if edit.kind == "block"]
    if len(names) != len(set(names)):
        raise FilesRefusedError(f"{later.path} has two blocks of one name")
    attributes: dict[str, Any] = {}
    for name in ("owner", "group", "mode", "validate"):
        first, second = getattr(earlier, name), getattr(later, name)
        if first and second and first != second:
            raise FilesRefusedError(f"{later.path} is listed twice with different {name}")
        attributes[name] = first or second
    secret = earlier.secret or later.secret
    return replace(earlier, edits=earlier.edits + later.edits, secret=secret, **attributes)


def _checked_path(path: Any) -> str:
    text = str(path or "")
    if not text.startswith("/"):
        raise FilesRefusedError(
            f"'{text}' is not an absolute path; write it from / on (on the host, ~ depends on who "
            "asks: use the user's home from facts)"
        )
    if "\0" in text or "\n" in text or any(part in (".", "..") for part in text.split("/")):
        raise FilesRefusedError(f"'{text}' is not a plain path (no '.', '..' or line feeds in it)")
    return re.sub(r"/+", "/", text).rstrip("/") or "/"


def _name(entry: Mapping[str, Any], which: str) -> str | None:
    value = entry.get(which)
    return None if value in (None, "") else str(value)


def _mode(path: str, mode: Any) -> int | None:
    if mode is None:
        return None
    if not isinstance(mode, str) or not re.fullmatch(r"[0-7]{3,4}", mode):
        raise FilesRefusedError(
            f"{path}: mode {mode!r} is not a quoted octal number such as '0644' (unquoted, YAML "
            "makes another number of it)"
        )
    return int(mode, 8)


def _validator(path: str, argv: Any) -> tuple[str, ...]:
    words = tuple(str(word) for word in argv or ())
    if words and not any("%s" in word for word in words[1:]):
        raise FilesRefusedError(f"{path}: validate has no '%s', so it would not check the new file")
    return words


def _block_name(path: str, entry: Mapping[str, Any]) -> str:
    name = str(entry.get("block_name") or "")
    if not re.fullmatch(r"\S(?:[^\n]*\S)?", name):
        raise FilesRefusedError(f"{path}: a block needs a block_name")
    return name


def _fits(path: str, entry: Mapping[str, Any]) -> str:
    return _compiled(path, "fits", entry.get("fits") or "")


def _pattern(path: str, entry: Mapping[str, Any]) -> str | None:
    match = entry.get("match")
    return _compiled(path, "match", match) if match else None


def _compiled(path: str, name: str, pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise FilesRefusedError(f"{path}: {name} '{pattern}' is not a pattern: {error}") from error
    return pattern

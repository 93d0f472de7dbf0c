# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries in an unmanaged JSON text; everything around them stays.

A place is a path of steps from the root. A string is a member of an object; a mapping is the
element of an array that has these values: ("inputs", {"id": "token"}).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ansible_collections.closet.inference.plugins.module_utils.jsonc import (
    BOM,
    Item,
    JsonTextError,
    Node,
    parse,
)

Part = Union[str, Mapping[str, Any]]
Place = tuple[Part, ...]
MISSING = object()


class JsonShapeError(JsonTextError):
    """The text is JSON, but what stands on the way to a place is no container for it."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, where true is not 1 and order among names is nothing."""
    if one is MISSING or other is MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def shown(place: Place) -> str:
    """A place as a person would write it."""
    return ".".join(part if isinstance(part, str) else json.dumps(part) for part in place)


def value_at(text: str, place: Place) -> Any:
    """What is there, or MISSING; raises JsonTextError when a container on the way is none."""
    node = parse(text)
    for depth, part in enumerate(place):
        if node is None:
            return MISSING
        _check_container(node, place, depth)
        item = _item_of(node, part)
        node = item.node if item else None
    return MISSING if node is None else node.value


def is_there(text: str, place: Place) -> bool:
    """Whether anything is at the place; in a container of another kind nothing can be."""
    try:
        return value_at(text, place) is not MISSING
    except JsonShapeError:
        return False


def completed(found: Any, value: Any) -> Any:
    """`value` with what else is in an object that is there."""
    if not isinstance(found, Mapping) or not isinstance(value, Mapping):
        return value
    return {**found, **{key: completed(found.get(key), value[key]) for key in value}}


def containers_missing(text: str, place: Place) -> list[Place]:
    """The containers above a place that are not there, outermost first; () is the root."""
    above = [place[:depth] for depth in range(len(place))]
    return [upper for upper in above if value_at(text, upper) is MISSING]


def with_entry(text: str, place: Place, value: Any, partial: bool = False) -> str:
    """`text` with exactly `value` at the place, its containers made if they are not there.

    A `partial` one leaves other members of an object that is there, and of the objects in it.
    """
    found = value_at(text, place)
    if partial and isinstance(found, Mapping) and isinstance(value, Mapping):
        for key in value:
            text = with_entry(text, (*place, key), value[key], partial)
        return text
    if same(found, value):
        return text
    node = parse(text)
    if node is None:
        gap = "" if not text.strip(BOM) or text.endswith("\n") else "\n"
        return text + gap + _render(_nested(place, value), "  ", "\n") + "\n"
    unit = _unit(text)
    for depth, part in enumerate(place):
        item = _item_of(node, part)
        if item is None:
            rest = _nested(place[depth + 1 :], value)
            if isinstance(part, str):
                return _inserted(text, node, part, rest, unit)
            return _inserted(text, node, None, _marked(part, rest), unit)
        node = item.node
    start = _line_end(text) + _margin(text, node.start)
    return text[: node.start] + _render(value, unit, start) + text[node.end :]


def without_entry(text: str, place: Place) -> str:
    """`text` without what is at the place, every one if there are several."""
    while is_there(text, place):
        node = parse(text)
        item = None
        for part in place:
            node = item.node if item else node
            item = _item_of(node, part) if node else None
        if node is None or item is None:
            break
        text = _removed(text, node, item)
    return text


def _check_container(node: Node, place: Place, depth: int) -> None:
    wanted = "object" if isinstance(place[depth], str) else "array"
    if node.kind != wanted:
        what = shown(place[:depth]) or "the whole"
        raise JsonShapeError(f"{what} is no {wanted}, so {shown(place)} cannot be in it")


def _item_of(node: Node, part: Part) -> Item | None:
    """The last that fits: of two members with one name, that is the one which programs see."""
    for item in reversed(node.items):
        if isinstance(part, str):
            if item.key == part:
                return item
        elif isinstance(item.node.value, dict) and _has(item.node.value, part):
            return item
    return None


def _has(value: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    return all(key in value and same(value[key], wanted) for key, wanted in part.items())


def _nested(place: Sequence[Part], value: Any) -> Any:
    """`value` inside the containers that lead to it."""
    for part in reversed(place):
        value = {part: value} if isinstance(part, str) else [_marked(part, value)]
    return value


def _marked(part: Mapping[str, Any], value: Any) -> Any:
    """An element with what it is found by."""
    return {**part, **value} if isinstance(value, Mapping) else value


def _unit(text: str) -> str:
    """How the text is indented: its first indented line says it."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found.group(1) if found else "  "


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _margin(text: str, at: int) -> str:
    """The indentation of the line that `at` is on."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _render(value: Any, unit: str, start: str) -> str:
    """The text of a value whose further lines start with `start`, a line's end and its margin."""
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", start)


def _inserted(text: str, node: Node, key: str | None, value: Any, unit: str) -> str:
    """`text` with one more member or element at the end of `node`, after any comment there."""
    outer = _margin(text, node.start)
    start = _line_end(text) + outer + unit
    name = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    new = f"{start}{name}{_render(value, unit, start)}"
    close = node.end - 1
    kept = len(text[:close].rstrip())
    last = node.items[-1] if node.items else None
    if last and last.comma is not None:
        new += ","
    tail = text[kept:close]
    tail = tail if "\n" in tail else _line_end(text) + outer
    made = text[:kept] + new + tail + text[close:]
    if last and last.comma is None:
        made = made[: last.node.end] + "," + made[last.node.end :]
    return made


def _removed(text: str, node: Node, item: Item) -> str:
    """`text` without one member or element, its comma and the blanks before it."""
    at = node.items.index(item)
    end = item.node.end if item.comma is None else item.comma + 1
    start = len(text[: item.start].rstrip())
    rest = text[end : node.end - 1]
    if not rest.strip() and start == node.start + 1:
        end = node.end - 1  # it was the only one: the two brackets meet
    elif "\n" in text[start : item.start] and not re.match(r"[ \t]*\r?\n", text[end:]):
        start = item.start  # what follows on its line cannot join a line that may be a comment
    text = text[:start] + text[end:]
    before = node.items[at - 1] if at else None
    if before and before.comma is not None and item.comma is None:
        text = text[: before.comma] + text[before.comma + 1 :]
    return text

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as editors read it, with comments and trailing commas, and the position of each part.

The JSON library of Python returns values without their positions. A settings file that a person
wrote must keep its comments, its order and its indentation.

Such a file can have 20 MB, of which one member is ours. So the library parses strict JSON, and this
module parses only the containers whose items a caller needs.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
SCALAR = re.compile(r"-?\d[-+.\deE]*|true|false|null")
BOM = "\ufeff"


class JsonTextError(ValueError):
    """The text is not JSON, with or without comments; the message says where."""


@dataclass(frozen=True)
class Item:
    """One member of an object (`key` is its name) or one element of an array.

    It stands at `start` (its key's, if it has one) and is followed by a comma at `comma`, or None.
    """

    key: str | None
    start: int
    node: Node
    comma: int | None


@dataclass(frozen=True)
class Node:
    """A value and where it stands: text[start:end]; `kind` is object, array or scalar."""

    kind: str
    start: int
    end: int
    value: Any
    text: str = field(repr=False)

    @functools.cached_property
    def items(self) -> tuple[Item, ...]:
        """The members or elements, in their order."""
        return () if self.kind == "scalar" else _taken_apart(self.text, self.start)[0]


def read(text: str) -> Any:
    """The plain value of the whole text, None when there is none; raises JsonTextError."""
    node = parse(text)
    return None if node is None else node.value


# one text is asked for many places
@functools.lru_cache(maxsize=4)
def parse(text: str) -> Node | None:
    """The whole text as a tree; None when nothing but blanks and comments is in it."""
    start = _skip(text, 1 if text.startswith(BOM) else 0)
    if start == len(text):
        return None
    try:
        node = _value(text, start)
    except RecursionError as error:
        raise JsonTextError("it is nested too deeply") from error
    end = _skip(text, node.end)
    if end != len(text):
        raise _wrong(text, end, "something follows its end")
    return node


def _skip(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int) -> Node:
    if text[at : at + 1] in ("{", "["):
        return _strict(text, at) or _container(text, at)
    for pattern in (STRING, SCALAR):
        found = pattern.match(text, at)
        if found:
            try:
                return Node("scalar", at, found.end(), json.loads(found.group()), text)
            except ValueError as error:
                raise _wrong(text, at, "this is no value of JSON") from error
    raise _wrong(text, at, "a value is missing" if at < len(text) else "it ends too early")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no value of JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)


def _strict(text: str, at: int) -> Node | None:
    """An object or array that has no comments and no trailing commas; None for others."""
    try:
        value, end = _STRICT.raw_decode(text, at)
    except ValueError:
        return None
    return Node(_kind(text, at), at, end, value, text)


def _container(text: str, at: int) -> Node:
    """An object or array; a comma may stand before its end."""
    items, end = _taken_apart(text, at)
    value: Any = [item.node.value for item in items]
    if _kind(text, at) == "object":
        value = {item.key: item.node.value for item in items}
    node = Node(_kind(text, at), at, end, value, text)
    node.__dict__["items"] = items  # the cached property's own place
    return node


def _kind(text: str, at: int) -> str:
    return "object" if text[at] == "{" else "array"


def _taken_apart(text: str, at: int) -> tuple[tuple[Item, ...], int]:
    """The items of the container that begins at `at`, and where it ends."""
    named = text[at] == "{"
    close = "}" if named else "]"
    items: list[Item] = []
    here = _skip(text, at + 1)
    while text[here : here + 1] != close:
        if items and items[-1].comma is None:
            raise _wrong(text, here, f"a comma or {close} is missing")
        item = _item(text, here, named)
        items.append(item)
        here = _skip(text, item.node.end if item.comma is None else item.comma + 1)
    return tuple(items), here + 1


def _item(text: str, at: int, named: bool) -> Item:
    key, here = None, at
    if named:
        found = STRING.match(text, at)
        if not found:
            raise _wrong(text, at, "a name in quotes is missing")
        key = str(json.loads(found.group()))
        here = _skip(text, found.end())
        if text[here : here + 1] != ":":
            raise _wrong(text, here, f'a colon is missing after "{key}"')
        here = _skip(text, here + 1)
    node = _value(text, here)
    after = _skip(text, node.end)
    return Item(key, at, node, after if text[after : after + 1] == "," else None)


def _wrong(text: str, at: int, what: str) -> JsonTextError:
    line = text.count("\n", 0, at) + 1
    return JsonTextError(f"line {line} is not JSON: {what}")

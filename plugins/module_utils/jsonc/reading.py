# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as people and their editors write it: with comments and commas after the last element.

The standard library reads the scalars; this adds what lies between them, and where each value is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

# what may stand between two tokens; the last two are the comments
GAP = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
DECODER = json.JSONDecoder(strict=False)
CLOSING = {"{": "}", "[": "]"}


class JsoncError(ValueError):
    """The text is not JSON, comments and trailing commas allowed."""


@dataclass(frozen=True)
class Node:
    """One value and where it stands in the text, from `start` up to before `end`."""

    start: int
    end: int
    value: Any
    children: tuple[Child, ...] = ()


@dataclass(frozen=True)
class Child:
    """A member of an object, or an element of a list, whose `key` is None; `start` is the key's."""

    start: int
    key: str | None
    node: Node


def read(text: str) -> Any:
    """The plain value of a text; an empty one is None."""
    return None if is_blank(text) else parse(text).value


def is_blank(text: str) -> bool:
    """Whether a text holds nothing but space and comments."""
    return skip_gap(text, 0) == len(text)


def parse(text: str) -> Node:
    """The value that a text holds, with the places of everything in it."""
    try:
        node = _value(text, skip_gap(text, 0))
    except RecursionError as error:
        raise JsoncError("it is nested too deeply") from error
    end = skip_gap(text, node.end)
    if end != len(text):
        raise _wrong(text, end, "something follows the end")
    return node


def skip_gap(text: str, at: int) -> int:
    """The place after space and comments."""
    found = GAP.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int) -> Node:
    opening = text[at : at + 1]
    if opening in CLOSING:
        return _container(text, at, CLOSING[opening])
    try:
        value, end = DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _wrong(text, at, "a value is expected") from error
    return Node(at, end, value)


def _container(text: str, start: int, closing: str) -> Node:
    children: list[Child] = []
    at = skip_gap(text, start + 1)
    while text[at : at + 1] != closing:
        child = _child(text, at, keyed=closing == "}")
        children.append(child)
        at = skip_gap(text, child.node.end)
        if text[at : at + 1] == ",":
            at = skip_gap(text, at + 1)
        elif text[at : at + 1] != closing:
            raise _wrong(text, at, f"a comma or {closing} is expected")
    value: Any = [child.node.value for child in children]
    if closing == "}":
        value = {child.key: child.node.value for child in children}
    return Node(start, at + 1, value, tuple(children))


def _child(text: str, at: int, keyed: bool) -> Child:
    if not keyed:
        return Child(at, None, _value(text, at))
    if text[at : at + 1] != '"':
        raise _wrong(text, at, "a key in double quotes is expected")
    key = _value(text, at)
    colon = skip_gap(text, key.end)
    if text[colon : colon + 1] != ":":
        raise _wrong(text, colon, "a colon is expected")
    return Child(at, str(key.value), _value(text, skip_gap(text, colon + 1)))


def _wrong(text: str, at: int, what: str) -> JsoncError:
    # never the text itself, which may hold somebody's key
    return JsoncError(f"line {text.count(chr(10), 0, at) + 1}: {what}")

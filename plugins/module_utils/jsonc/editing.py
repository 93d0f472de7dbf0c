# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry of ours inside a JSON file of somebody else: only the text of what changes is touched.

A place is a sequence of keys; `[name=closet]` among them is the element of a list whose `name` is
`closet`. What stands around an entry, comments and layout included, stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.closet.inference.plugins.module_utils.jsonc.reading import (
    Child,
    JsoncError,
    Node,
    is_blank,
    parse,
    skip_gap,
)

SELECTOR = re.compile(r"\[([^=\[\]]+)=([^\[\]]*)\]")


@dataclass(frozen=True)
class Element:
    """The element of a list that has `key: value`."""

    key: str
    value: str


Step = Union[str, Element]


def place(words: Sequence[str]) -> tuple[Step, ...]:
    """The steps that a task's words mean."""
    found = [(word, SELECTOR.fullmatch(word)) for word in words]
    return tuple(Element(match[1], match[2]) if match else word for word, match in found)


def with_entry(text: str, steps: Sequence[Step], value: Any) -> str:
    """`text` with `value` at its place; members of an object that are not ours stay beside ours."""
    if is_blank(text):
        fresh = json.dumps(_nested(steps, value), indent=2, ensure_ascii=False)
        return f"{text}{fresh}\n"
    node = parse(text)
    for depth, step in enumerate(steps):
        child = _find(node, step)
        if child is None:
            return _inserted(text, node, step, _nested(steps[depth + 1 :], value))
        node = child.node
    if isinstance(node.value, dict) and isinstance(value, dict):
        for key, wanted in value.items():
            text = with_entry(text, (*steps, key), wanted)
        return text
    if _same(node.value, value):
        return text
    return text[: node.start] + _written(text, value, _indent(text, node.start)) + text[node.end :]


def without_entry(text: str, steps: Sequence[Step]) -> str:
    """`text` without the entry, and without what held nothing else; '' when nothing is left."""
    if is_blank(text):
        return text
    chain: list[tuple[Node, Child]] = []
    node = parse(text)
    for step in steps:
        child = _find(node, step)
        if child is None:
            return text
        chain.append((node, child))
        node = child.node
    while len(chain) > 1 and _holds_only(text, *chain[-1]):
        chain.pop()
    container, child = chain[-1]
    outside = text[: container.start] + text[container.end :]
    if len(chain) == 1 and _holds_only(text, container, child) and not outside.strip():
        return ""
    return _removed(text, container, child)


def _nested(steps: Sequence[Step], value: Any) -> Any:
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [_marked(step, value)]
    return value


def _marked(element: Element, value: Any) -> Any:
    return {element.key: element.value, **value} if isinstance(value, dict) else value


def _find(node: Node, step: Step) -> Child | None:
    wanted = dict if isinstance(step, str) else list
    if not isinstance(node.value, wanted):
        kind = "an object" if wanted is dict else "a list"
        name = step if isinstance(step, str) else f"the entry with {step.key} {step.value}"
        raise JsoncError(f"{name} cannot be put in, since what shall hold it is not {kind}")
    # of two members with one key the last one counts
    for child in reversed(node.children):
        if child.key == step if isinstance(step, str) else _is_element(child, step):
            return child
    return None


def _is_element(child: Child, element: Element) -> bool:
    value = child.node.value
    return isinstance(value, dict) and value.get(element.key) == element.value


def _inserted(text: str, container: Node, step: Step, value: Any) -> str:
    """The new one comes last, after whatever comment stands there."""
    close = container.end - 1
    line_end = "\r\n" if "\r\n" in text else "\n"
    outer = _indent(text, container.start)
    inner = outer + _unit(text)
    comma = last_end = container.start + 1
    if container.children:
        first, last = container.children[0], container.children[-1]
        last_end = last.node.end
        comma = skip_gap(text, last_end)
        if not text[: first.start].rpartition("\n")[2].strip():
            inner = _indent(text, first.start)
    trailing = text[comma] == "," and bool(container.children)
    put = "" if trailing or not container.children else ","
    content_end = max(len(text[:close].rstrip()), last_end)
    key = f"{json.dumps(step, ensure_ascii=False)}: " if isinstance(step, str) else ""
    new = value if isinstance(step, str) else _marked(step, value)
    ours = line_end + inner + key + _written(text, new, inner) + ("," if trailing else "")
    space = text[content_end:close]
    after = space if "\n" in space else line_end + outer
    return text[:last_end] + put + text[last_end:content_end] + ours + after + text[close:]


def _removed(text: str, container: Node, child: Child) -> str:
    at = container.children.index(child)
    comma = skip_gap(text, child.node.end)
    followed = text[comma] == ","
    if at < len(container.children) - 1:
        after = text[comma + 1 :]
        return text[: child.start] + text[child.node.end : comma] + after.lstrip()
    end = comma + 1 if followed else child.node.end
    before = text[: child.start].rstrip()
    if at and not followed:
        previous = skip_gap(text, container.children[at - 1].node.end)
        before = before[:previous] + before[previous + 1 :]
    return before + text[end:]


def _holds_only(text: str, container: Node, child: Child) -> bool:
    """Whether nothing but this one, not even a comment, is in a container."""
    inside = text[container.start + 1 : child.start] + text[child.node.end : container.end - 1]
    return len(container.children) == 1 and not inside.replace(",", "").strip()


def _written(text: str, value: Any, indent: str) -> str:
    made = json.dumps(value, indent=_unit(text), ensure_ascii=False)
    line_end = "\r\n" if "\r\n" in text else "\n"
    return made.replace("\n", line_end + indent)  # a string has no line feed of its own in JSON


def _indent(text: str, at: int) -> str:
    """The space at the begin of the line in which a place is."""
    found = re.match(r"[ \t]*", text[:at].rpartition("\n")[2])
    return found[0] if found else ""


def _unit(text: str) -> str:
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

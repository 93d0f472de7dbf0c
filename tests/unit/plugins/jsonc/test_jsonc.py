# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON with comments is read as editors read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils import jsonc
from ansible_collections.closet.inference.plugins.module_utils.jsonc import (
    JsonTextError,
    Node,
    parse,
    read,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.merge import (
    Entry,
    Record,
    merged,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("  // nothing yet\n", None),
        ("{}", {}),
        ('{"a": 1, "b": [true, null, -1.5e3],}', {"a": 1, "b": [True, None, -1500.0]}),
        ('// x\n{"a": /* in between */ "b // no comment", }', {"a": "b // no comment"}),
        ('{"url": "http://x/*y*/"}', {"url": "http://x/*y*/"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('\ufeff["\\u00e4\\"]", 1,]', ['ä"]', 1]),
    ],
)
def test_reads_what_editors_accept(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1', "line 1 is not JSON: a comma or } is missing"),
        ('{\n  "a" 1}', 'line 2 is not JSON: a colon is missing after "a"'),
        ("{\n\n  a: 1}", "line 3 is not JSON: a name in quotes is missing"),
        ("[1,,2]", "line 1 is not JSON: a value is missing"),
        ('{"a": 1} x', "line 1 is not JSON: something follows its end"),
        ("/* never closed", "line 1 is not JSON: a value is missing"),
        ('{"key": "sk-secret', "line 1 is not JSON: a value is missing"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_refuses_with_the_line_and_without_the_values(text: str, sentence: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        read(text)
    assert str(caught.value) == sentence


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


def positions(node: Node, text: str) -> Any:
    """A tree with the text of each part, taken apart to the leaves."""
    words = text[node.start : node.end]
    return node.kind, words, [(item.key, positions(item.node, text)) for item in node.items]


@settings(max_examples=200)
@given(SHAPES)
def test_what_the_library_reads_is_where_our_own_reading_finds_it(value: Any) -> None:
    text = json.dumps(value, indent=1)
    quick = parse(text)
    assert quick is not None
    assert quick.value == value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonc, "_strict", lambda *_: None)
        slow = parse.__wrapped__(text)
        assert slow is not None
        assert slow.value == value
        expected = positions(slow, text)
    assert positions(quick, text) == expected


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", '"\t"', "01", "1.", "+1"])
def test_what_is_no_json_is_refused_inside_of_a_container_too(word: str) -> None:
    for text in (f"[{word}]", f'{{"a": [1, {word}]}}'):
        with pytest.raises(JsonTextError):
            read(text)


def test_a_large_file_is_read_once_when_nothing_changes() -> None:
    entries = [Entry(("mcpServers", name), {"url": "http://a/mcp"}) for name in "abc"]
    first = merged('{"projects": {}, "mcpServers": {}}', Record(), entries)
    assert first.text is not None
    assert first.after is not None
    parse.cache_clear()
    again = merged(first.text, first.after, entries)
    assert again.text == first.text
    assert parse.cache_info().misses == 1

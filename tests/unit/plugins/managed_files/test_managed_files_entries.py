# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of ours in JSON texts of other people, comments and all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.jsonc import (
    JsonTextError,
    parse,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.entries import (
    MISSING,
    Place,
    same,
    value_at,
    with_entry,
    without_entry,
)

ZED = """\
// Zed settings
{
  "theme": "One Dark", // the dark one
  /* servers
     of mine */
  "context_servers": {
    "mine": {"command": "x"}, // keep
  },
}
"""
TABS = '{\n\t"servers": {\n\t\t"mine": {\n\t\t\t"url": "http://a"\n\t\t}\n\t}\n}\n'


@pytest.mark.parametrize(
    ("have", "place", "value", "want"),
    [
        pytest.param("", ("a",), 1, '{\n  "a": 1\n}\n', id="empty file"),
        pytest.param("// mine", ("a",), 1, '// mine\n{\n  "a": 1\n}\n', id="nothing but a comment"),
        pytest.param(
            "{}", ("a", "b"), {}, '{\n  "a": {\n    "b": {}\n  }\n}', id="containers made"
        ),
        pytest.param('{"a":1}', ("b",), 2, '{"a":1,\n  "b": 2\n}', id="all on one line"),
        pytest.param('{"b": 1, "a": 2}', ("b",), 3, '{"b": 3, "a": 2}', id="replaced in its place"),
        pytest.param('{"b": [1,\n2]}', ("b",), [1, 2], '{"b": [1,\n2]}', id="right as it is"),
        pytest.param('{"b": true}', ("b",), 1, '{"b": 1}', id="true is not 1"),
        pytest.param('{"b": 1, "b": 2}', ("b",), 3, '{"b": 1, "b": 3}', id="the one that counts"),
        pytest.param(
            "[]", ({"id": "x"},), {"id": "x"}, '[\n  {\n    "id": "x"\n  }\n]', id="array"
        ),
        pytest.param(
            '[{"id": "y"}, {"id": "x", "v": 1}]',
            ({"id": "x"},),
            {"id": "x"},
            '[{"id": "y"}, {\n  "id": "x"\n}]',
            id="element found by its values",
        ),
        pytest.param(
            TABS,
            ("servers", "ours"),
            {"url": "http://b"},
            TABS.replace("\t\t}\n", '\t\t},\n\t\t"ours": {\n\t\t\t"url": "http://b"\n\t\t}\n', 1),
            id="indented as the file is",
        ),
        pytest.param(
            ZED,
            ("context_servers", "ours"),
            {"command": "y"},
            ZED.replace("// keep\n", '// keep\n    "ours": {\n      "command": "y"\n    },\n', 1),
            id="after a comment, with a trailing comma where there was one",
        ),
    ],
)
def test_with_entry(have: str, place: Place, value: Any, want: str) -> None:
    made = with_entry(have, place, value)
    assert made == want
    assert with_entry(made, place, value) == made
    assert same(value_at(made, place), value)


@pytest.mark.parametrize(
    ("have", "place", "want"),
    [
        pytest.param('{"a": 1}', ("a",), "{}", id="the only one"),
        pytest.param(
            '{\n  "a": 1, // one\n  "b": 2\n}', ("b",), '{\n  "a": 1 // one\n}', id="last"
        ),
        pytest.param('{\n  "a": 1,\n  "b": 2\n}', ("a",), '{\n  "b": 2\n}', id="first"),
        pytest.param('{"a": 1, "b": 2, "c": 3}', ("b",), '{"a": 1, "c": 3}', id="in the middle"),
        pytest.param('{ // c\n "a": 1}', ("a",), "{ // c\n }", id="brace is not in the comment"),
        pytest.param('{"a": 1, "a": 2}', ("a",), "{}", id="both of a name"),
        pytest.param("{}", ("a",), "{}", id="not there"),
        pytest.param("{}", ("a", "b"), "{}", id="container not there"),
        pytest.param('[{"id": "x"}, 1]', ({"id": "x"},), "[ 1]", id="element"),
    ],
)
def test_without_entry(have: str, place: Place, want: str) -> None:
    made = without_entry(have, place)
    assert made == want
    assert value_at(made, place) is MISSING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('{"a": }', "line 1 is not JSON: a value is missing", id="no value"),
        pytest.param('{\n"a" 1}', "line 2 is not JSON: a colon is missing", id="no colon"),
        pytest.param('{"a": 1 "b": 2}', "a comma or } is missing", id="no comma"),
        pytest.param('{"a": 1', "a comma or } is missing", id="cut off"),
        pytest.param("{a: 1}", "a name in quotes", id="bare name"),
        pytest.param("{} {}", "something follows", id="two"),
        pytest.param('{"a": 1-2}', "no value", id="no number"),
        pytest.param('{"a": "\n"}', "a value is missing", id="line feed in a string"),
        pytest.param("{,}", "a name in quotes", id="lone comma"),
    ],
)
def test_what_is_not_json_is_said_with_its_line(text: str, words: str) -> None:
    with pytest.raises(JsonTextError, match=words):
        parse(text)


def test_a_place_inside_something_else_is_refused() -> None:
    with pytest.raises(JsonTextError, match=r"servers is no object, so servers\.x cannot be in it"):
        with_entry('{"servers": []}', ("servers", "x"), 1)
    with pytest.raises(JsonTextError, match="the whole is no array"):
        with_entry("{}", ({"id": "x"},), {"id": "x"})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)
indents = st.sampled_from([None, 2, 4, "\t"])


@given(st.dictionaries(st.text(max_size=3), values, max_size=4), indents, values)
def test_in_and_out_again_gives_the_text_back(theirs: Any, indent: Any, value: Any) -> None:
    text = json.dumps(theirs, indent=indent)
    made = with_entry(text, ("ours of us",), value)
    assert json.loads(made) == {**theirs, "ours of us": value}
    assert with_entry(made, ("ours of us",), value) == made
    back = without_entry(made, ("ours of us",))
    assert json.loads(back) == theirs
    if theirs and indent:
        assert back == text


@given(values)
def test_reads_what_the_standard_library_writes(value: Any) -> None:
    node = parse(json.dumps(value))
    assert node is not None
    assert same(node.value, value)

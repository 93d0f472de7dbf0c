# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON with comments is read as editors read it."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.module_utils.jsonc import JsonTextError, read


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

"""JSON with comments is read as editors read it, and edited without touching what is not ours."""

from __future__ import annotations

import json

import pytest

from ansible_collections.closet.inference.plugins.module_utils.jsonc.editing import (
    place,
    with_entry,
    without_entry,
)
from ansible_collections.closet.inference.plugins.module_utils.jsonc.reading import (
    JsoncError,
    read,
)

ZED = """// Zed settings
{
  "theme": "One Dark", // the dark one
  /* "vim_mode": true, */
  "language_models": {
    "ollama": {
      "api_url": "http://localhost:11434" // mine
    }
  },
  "tabs": {"git_status": true},
}
"""
AT = ("language_models", "openai_compatible", "closet")
WANTED = {"api_url": "http://attic.local:8000/v1", "available_models": [{"name": "a"}]}


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
        ('{"a": "tab\there"}', {"a": "tab\there"}),
    ],
)
def test_reads_what_editors_accept(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1', "line 1: a comma or } is expected"),
        ('{\n  "a" 1}', "line 2: a colon is expected"),
        ("{\n\n  a: 1}", "line 3: a key in double quotes is expected"),
        ("[1,,2]", "line 1: a value is expected"),
        ('{"a": 1} x', "line 1: something follows the end"),
        ("/* never closed", "line 1: a value is expected"),
        ('{"key": "sk-secret', "line 1: a value is expected"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_refuses_with_the_line_and_without_the_text(text: str, sentence: str) -> None:
    with pytest.raises(JsoncError) as caught:
        read(text)
    assert str(caught.value) == sentence


def test_an_entry_goes_in_and_everything_else_stays() -> None:
    merged = with_entry(ZED, AT, WANTED)
    want = read(ZED)
    want["language_models"]["openai_compatible"] = {"closet": WANTED}
    assert read(merged) == want
    kept = iter(merged.splitlines())
    assert all(any(line in got for got in kept) for line in ZED.splitlines()), merged
    assert with_entry(merged, AT, WANTED) == merged
    assert without_entry(merged, AT) == ZED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{\n}\n",
        '{\n\t"a": 1\n}\n',
        '{\n    "a": 1, // last\n}\n',
        '{\n  "a": 1 // last\n  // and more\n}',
        '{\r\n  "a": 1\r\n}\r\n',
        '{\n  "openai": {\n    "x": [1]\n  }\n}\n',
        "{\n  // only a comment\n}\n",
    ],
    ids=repr,
)
def test_in_and_out_again_gives_the_same_text(text: str) -> None:
    merged = with_entry(text, ("openai", "closet"), {"b": [1, {"c": "ä"}]})
    before = read(text) or {}
    assert read(merged) == {
        **before,
        "openai": {**before.get("openai", {}), "closet": {"b": [1, {"c": "ä"}]}},
    }
    assert with_entry(merged, ("openai", "closet"), {"b": [1, {"c": "ä"}]}) == merged
    out = without_entry(merged, ("openai", "closet"))
    assert out == text or (text == "{\n}\n" and out == "")


@pytest.mark.parametrize("first", [True, False])
def test_an_entry_of_ours_is_removed_from_among_others(first: bool) -> None:
    ours, theirs = '"closet": {"a": 1}', '"other": 2'
    inner = ", ".join([ours, theirs] if first else [theirs, ours])
    for text in (f"{{{inner}}}", "{\n  " + inner.replace(", ", ",\n  ") + "\n}\n"):
        assert read(without_entry(text, ("closet",))) == {"other": 2}
        assert "\n  \n" not in without_entry(text, ("closet",))


def test_what_an_app_added_to_our_entry_stays() -> None:
    app = '[{"name": "closet", "apiKey": "${input:chat.lm.secret.1}", "models": []}, {"name": "x"}]'
    steps = place(["[name=closet]"])
    merged = with_entry(app, steps, {"vendor": "customendpoint", "models": [{"id": "a"}]})
    assert read(merged) == [
        {
            "name": "closet",
            "apiKey": "${input:chat.lm.secret.1}",
            "models": [{"id": "a"}],
            "vendor": "customendpoint",
        },
        {"name": "x"},
    ]
    assert read(without_entry(merged, steps)) == [{"name": "x"}]


def test_a_list_of_our_own_comes_and_goes() -> None:
    steps = place(["[name=closet]"])
    merged = with_entry("", steps, {"vendor": "v"})
    assert json.loads(merged) == [{"name": "closet", "vendor": "v"}]
    assert without_entry(merged, steps) == ""


def test_true_is_not_one() -> None:
    assert read(with_entry('{"a": 1}', ("a",), True)) == {"a": True}


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ('{"a": "text"}', ["a", "b"], "b cannot be put in, since what shall hold it is not an obj"),
        ("{}", ["[name=x]"], "the entry with name x cannot be put in, since what shall hold it is"),
    ],
)
def test_refuses_a_file_of_another_shape(text: str, words: list[str], sentence: str) -> None:
    with pytest.raises(JsoncError, match=sentence):
        with_entry(text, place(words), {"v": 1})

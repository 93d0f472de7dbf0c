"""The checks that tables are made of; those of launchd, omlx and pmset test most of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import schema

MEMBERS = schema.members({"a": schema.number(0, 5), "Bee": schema.truth})
CASES: dict[str, tuple[schema.Check, Any, list[str]]] = {
    "all is well": (MEMBERS, {"a": 5, "Bee": False}, []),
    "a key like another": (MEMBERS, {"bee": 1}, ["unknown key 'bee' in x; did you mean 'Bee'?"]),
    "a key like none": (MEMBERS, {"zork": 1}, ["unknown key 'zork' in x"]),
    "a key, with a hint": (
        schema.members({}, "it is ignored"),
        {"zork": 1},
        ["unknown key 'zork' in x; it is ignored"],
    ),
    "each thing that is wrong": (
        MEMBERS,
        {"a": 6, "Bee": None},
        ["x.a must be at most 5, not 6", "x.Bee must be true or false, not nothing (null)"],
    ),
    "no dictionary": (MEMBERS, [], ["x must be a dictionary, not a list"]),
    "whole numbers alone": (schema.number(), 1.5, ["x must be a whole number, not the number 1.5"]),
    "any number": (schema.number(whole=False), 1.5, []),
    "true is no number": (
        schema.number(whole=False),
        True,
        ["x must be a number, not the truth value true"],
    ),
    "a path": (
        schema.absolute_path("write it out"),
        "~/y",
        ["x must be an absolute path, not '~/y'; write it out"],
    ),
    "names and values": (
        schema.map_of(schema.text),
        {"": 1},
        ["a name in x must not be empty", "x. must be text, not the number 1; write '1' in quotes"],
    ),
    "anything": (schema.anything, object(), []),
}


@pytest.mark.parametrize(("check", "value", "errors"), CASES.values(), ids=CASES)
def test_checks(check: schema.Check, value: Any, errors: list[str]) -> None:
    assert list(check("x", value)) == errors

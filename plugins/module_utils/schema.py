# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of what values may be, made of a few checks, with one form of sentence for all of them.

LIMITS = members({"NumberOfFiles": number(0), "Core": number(0)})
errors = list(LIMITS("SoftResourceLimits", {"NumberOfFile": 4096}))
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

Check = Callable[[str, Any], Iterable[str]]
"""Takes where a value stands and the value; yields one sentence for each thing wrong with it."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant, spelling and case aside."""
    by_folded = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.75)
    return by_folded[close[0]] if close else None


def unknown_key(name: str, known: Iterable[str], where: str = "", hint: str = "") -> str:
    """The sentence for a key that is not in a table; `hint` when no other key is like it."""
    meant = nearest(name, known)
    after = f"did you mean '{meant}'?" if meant else hint
    return f"unknown key '{name}'{where and f' in {where}'}{after and f'; {after}'}"


def anything(_where: str, _value: Any) -> Iterable[str]:
    """Any value will do."""
    return ()


def text(where: str, value: Any) -> Iterable[str]:
    """A text, which may be empty."""
    if not isinstance(value, str):
        yield f"{where} must be text, not {kind_of(value)}{_quote_hint(value)}"


def filled_text(where: str, value: Any) -> Iterable[str]:
    """A text that is not empty."""
    yield from text(where, value)
    if value == "":
        yield f"{where} must not be empty"


def truth(where: str, value: Any) -> Iterable[str]:
    """true or false."""
    if not isinstance(value, bool):
        yield f"{where} must be true or false, not {kind_of(value)}"


def number(low: float | None = None, high: float | None = None, whole: bool = True) -> Check:
    """A number within limits, both included."""
    return partial(_number, low, high, whole)


def word(*words: str) -> Check:
    """One of a few words."""
    return partial(_word, words)


def absolute_path(hint: str = "") -> Check:
    """A path from / on."""
    return partial(_absolute_path, hint)


def mapping(where: str, value: Any) -> Iterable[str]:
    """A dictionary of anything."""
    if not isinstance(value, Mapping):
        yield f"{where} must be a dictionary, not {kind_of(value)}"


def list_of(check: Check, at_least: int = 0) -> Check:
    """A list whose entries all pass."""
    return partial(_list_of, check, at_least)


def map_of(check: Check, name: Check = filled_text) -> Check:
    """A dictionary whose names and values all pass."""
    return partial(_map_of, check, name)


def members(checks: Mapping[str, Check], hint: str = "") -> Check:
    """A dictionary of known keys; `hint` says what becomes of another."""
    return partial(_members, checks, hint)


def either(first: type, if_first: Check, otherwise: Check) -> Check:
    """One check for values of the type `first`, another for all others."""
    return partial(_either, first, if_first, otherwise)


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if value is None:
        return "nothing (null)"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, Mapping):
        return "a dictionary"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


def _quote_hint(value: Any) -> str:
    return f"; write '{value!s}' in quotes" if isinstance(value, (bool, int, float)) else ""


# What the checks with parameters do. Partials, not functions in functions: one less level each.


def _number(
    low: float | None, high: float | None, whole: bool, where: str, value: Any
) -> Iterable[str]:
    fits = isinstance(value, (int, float)) and not (whole and isinstance(value, float))
    if isinstance(value, bool) or not fits:
        name = "a whole number" if whole else "a number"
        yield f"{where} must be {name}, not {kind_of(value)}"
    elif low is not None and value < low:
        yield f"{where} must be at least {low}, not {value}"
    elif high is not None and value > high:
        yield f"{where} must be at most {high}, not {value}"


def _word(words: tuple[str, ...], where: str, value: Any) -> Iterable[str]:
    if value not in words:
        yield f"{where} must be one of {', '.join(words)}, not {value!r}"


def _absolute_path(hint: str, where: str, value: Any) -> Iterable[str]:
    yield from text(where, value)
    if isinstance(value, str) and not value.startswith("/"):
        yield f"{where} must be an absolute path, not {value!r}{hint and f'; {hint}'}"


def _list_of(check: Check, at_least: int, where: str, value: Any) -> Iterable[str]:
    if not isinstance(value, (list, tuple)):
        yield f"{where} must be a list, not {kind_of(value)}"
        return
    if len(value) < at_least:
        yield f"{where} must not be an empty list"
    for index, inner in enumerate(value):
        yield from check(f"{where}[{index}]", inner)


def _map_of(check: Check, name: Check, where: str, value: Any) -> Iterable[str]:
    yield from mapping(where, value)
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        yield from name(f"a name in {where}", key)
        yield from check(f"{where}.{key}", inner)


def _members(checks: Mapping[str, Check], hint: str, where: str, value: Any) -> Iterable[str]:
    yield from mapping(where, value)
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if key in checks:
            yield from checks[key](f"{where}.{key}" if where else str(key), inner)
        else:
            yield unknown_key(str(key), checks, where, hint)


def _either(
    first: type, if_first: Check, otherwise: Check, where: str, value: Any
) -> Iterable[str]:
    yield from (if_first if isinstance(value, first) else otherwise)(where, value)

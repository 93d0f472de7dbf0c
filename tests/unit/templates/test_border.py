# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of the inventory lets through, for every option, near to what is right."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import formats, values
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.option_formats import (
    format_of,
)
from tests.unit.templates.hostile import CONTROLS, MODEST, OPTIONS, PIECES, SHAPES, accepted, fits

# People's own words: these may hold anything that is seen. All others are words without a sign
# that a program could take for its own.
FREE = (
    *(formats.LINE, formats.TEXT, formats.ACCOUNT, formats.SECRET, formats.FILE_HERE, formats.ANY),
    *(formats.PATH, formats.PATH_BELOW, formats.PERSONS_FILE, formats.ROTATED, formats.CADDY_PATH),
)
PATHS = (formats.PATH, formats.PERSONS_FILE, formats.ROTATED, formats.CADDY_PATH)
FORBIDDEN = frozenset(" \t\"'`\\$<>{}|^#")
# These take a path too.
OR_A_PATH = (formats.PYTHON, formats.ARCHIVE)
STRUCTURED = ("dict", "bool")


def kind_of(name: str) -> str:
    option = OPTIONS[name]
    kind = option.get("type", "str")
    return str(option.get("elements", "str") if kind == "list" else kind)


NAMES = sorted(
    name for name in OPTIONS if kind_of(name) not in STRUCTURED and not OPTIONS[name].get("choices")
)


def seeds(name: str) -> st.SearchStrategy[Any]:
    its = format_of(name) or formats.ANY
    if kind_of(name) in ("int", "float") or its in SHAPES:
        return accepted(name)
    default = OPTIONS[name].get("default")
    return st.sampled_from(
        ("", "a", "1.2.3", "tag:a", "sha256:" + "a" * 64, "1h30m", "20GB", "a" * 40)
    ) | (st.just(default) if isinstance(default, str) and "{{" not in default else st.nothing())


@st.composite
def near(draw: st.DrawFn) -> tuple[str, Any]:
    """An option, and a value that is right but for a piece that stands somewhere in it."""
    name = draw(st.sampled_from(NAMES))
    text = str(draw(seeds(name)))
    piece = draw(st.sampled_from((*PIECES, *CONTROLS, "..", "/../", "%en0", "/99", ":99999", "-1")))
    place = draw(st.integers(0, len(text)))
    return name, text[:place] + piece + text[place:]


def sound(name: str, value: str) -> bool:
    """Said anew, and more loosely than by the format: what no option of its kind may hold."""
    its = format_of(name) or formats.ANY
    if kind_of(name) in ("int", "float"):
        return value.isascii() and float(value) == float(value.strip()) and float(value) >= 0
    value.encode()
    if its is formats.ANY:
        return True
    if not all(char.isprintable() or (its is formats.TEXT and char in "\n\t") for char in value):
        return False
    if value and its in PATHS:
        return value.startswith(("/", "~/")) and ".." not in value.split("/")
    if its in FREE or (its in OR_A_PATH and value.startswith(("/", "file:///"))):
        return True
    return value.isascii() and not set(value) & FORBIDDEN


@settings(MODEST, max_examples=1500)
@given(near())
def test_what_passes_is_sound(case: tuple[str, Any]) -> None:
    name, value = case
    one = value if OPTIONS[name].get("type") != "list" else [value]
    if fits(name, one):
        assert sound(name, value)
        typed = values.converted(OPTIONS[name], one)
        assert fits(name, typed)


def test_what_is_right_passes() -> None:
    """Or nothing above would be tried."""
    its = {format_of(name) for name in NAMES} & set(SHAPES)
    assert len(its) >= 12

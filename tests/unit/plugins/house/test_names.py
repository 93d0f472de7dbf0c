"""Typing errors in variable names: which are ours, where they stand, what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.house import names

KNOWN = ["closet_profile", "closet_exposure", "omlx_port", "opencode_model"]
PREFIXES = ["closet", "omlx", "opencode"]


@pytest.mark.parametrize(
    ("name", "is_typo"),
    [
        ("closet_profile", False),
        ("closet_profle", True),
        ("closte_profile", True),  # the prefix itself is misspelled
        ("omlx_prot", True),
        ("omlx_colour", True),  # ours by its prefix, and nobody knows it
        ("ansible_host", False),
        ("my_profile", False),
        ("lab_mac", False),
    ],
)
def test_typos_are_told_from_the_owners_own_variables(name: str, is_typo: bool) -> None:
    assert names.misspelled([name], KNOWN, PREFIXES) == ([name] if is_typo else [])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("---\nomlx_prot: 1\n", "a.yml:2"),
        ("air: {ansible_host: x, omlx_prot: 1}\n", "a.yml:1"),
        ("[closet]\nattic omlx_prot=8001\n", "a.yml:2"),
        ("my_omlx_prot: 1\n", ""),
    ],
)
def test_the_place_is_a_file_and_a_line(text: str, place: str) -> None:
    assert names.where("omlx_prot", {Path("a.yml"): text}) == place


def test_the_nearest_name_is_suggested_and_a_far_one_is_not() -> None:
    assert names.suggestion("omlx_prot", KNOWN) == ", do you mean omlx_port?"
    assert names.suggestion("zzz", KNOWN) == ""

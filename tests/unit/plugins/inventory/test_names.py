"""Typing errors in variable names: which are ours, where they stand, what was meant."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import names

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
    ("one", "other", "same"),
    [
        ("air.local", "Air.local", True),
        ("air.local", "air.local.", True),
        ("FD00::1", "fd00::1", True),
        ("air.local", "pro.local", False),
    ],
)
def test_names_are_compared_as_dns_does(one: str, other: str, same: bool) -> None:
    assert (names.same_host(one) == names.same_host(other)) is same


@pytest.mark.parametrize(
    ("host", "text"),
    [("attic.local", "attic.local"), ("10.0.0.1", "10.0.0.1"), ("fd00::100", "[fd00::100]")],
)
def test_an_ipv6_address_has_brackets_in_a_url(host: str, text: str) -> None:
    assert names.in_url(host) == text


def test_the_nearest_name_is_suggested_and_a_far_one_is_not() -> None:
    assert names.suggestion("omlx_prot", KNOWN) == ", do you mean omlx_port?"
    assert names.suggestion("zzz", KNOWN) == ""

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of omlx against what is wanted of them."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.filter.omlx_gates import refusals

HERE = {"addresses": ["127.0.0.1"], "key": True}
LAN = {"addresses": ["127.0.0.1", "10.0.0.5"], "key": True}
OPEN = {"addresses": ["127.0.0.1", "10.0.0.5"], "key": False}

CASES = [
    ("the pin before", "0.6.0", LAN, []),
    ("several addresses came later", "0.4.1", HERE, []),
    ("too old for several addresses", "0.4.1", LAN, ["since 0.4.2"]),
    ("a version that cannot tell it", "0.3.12", HERE, ["since 0.4.0"]),
    ("much too old", "0.3.8", HERE, ["since 0.3.9", "since 0.3.11", "since 0.4.0"]),
    ("the last that starts open on the LAN", "0.7.0.dev3", OPEN, []),
    ("the first that does not", "0.7.0.dev4", OPEN, ["does not start on 10.0.0.5 without a key"]),
    ("a release comes after its dev builds", "0.7.0", OPEN, ["without a key"]),
    ("and starts with a key, as the pin does", "0.7.0", LAN, []),
    ("a fork, or unknown", "", OPEN, []),
]


@pytest.mark.parametrize(
    ("version", "wanted", "parts"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_refusals(version: str, wanted: dict[str, object], parts: list[str]) -> None:
    found = refusals(version, wanted)
    assert len(found) == len(parts)
    assert all(part in sentence for part, sentence in zip(parts, found))

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between versions of omlx for who provisions it: a table, and what follows from it.

Source: omlx's history up to 0.5.0 and its issues since (1470, 1442, 3730). A fork has numbers of
its own, so nothing is concluded from its version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True)
class Gate:
    """Something that omlx does since a version; `needed` tells whether that matters here."""

    since: str
    what: str
    needed: Callable[[Mapping[str, Any]], bool]


def _several(wanted: Mapping[str, Any]) -> bool:
    return len(wanted.get("addresses") or []) > 1


def _always(_wanted: Mapping[str, Any]) -> bool:
    return True


GATES = (
    Gate("0.3.9", "pulls models into owner/name, where ours are too", _always),
    Gate("0.3.11", "knows the memory guard; the keys before it are gone since", _always),
    Gate("0.4.0", "tells its version", _always),
    Gate("0.4.2", "listens on several addresses", _several),
)
"""An omlx from before a gate that is needed is refused."""

KEY_OR_NOTHING = "0.7.0.dev4"
"""Since then it does not start on an address that others reach without a key (issue 3730)."""


def refusals(version: str, wanted: Mapping[str, Any]) -> list[str]:
    """An error for each reason why this omlx cannot do what is wanted; none when it is unknown.

    Args:
        version: as its package has it; empty for a fork.
        wanted: `addresses` it listens on, and whether there is a `key`.
    """
    # ansible-core brings it; the checks of a collection import this file without it
    from packaging.version import InvalidVersion, Version

    try:
        have = Version(version)
    except InvalidVersion:
        return []
    found = [
        f"omlx {version} is too old: it {gate.what} since {gate.since}. Pin a newer one"
        for gate in GATES
        if gate.needed(wanted) and have < Version(gate.since)
    ]
    far = [
        address
        for address in wanted.get("addresses") or []
        if not str(address).startswith(LOOPBACK)
    ]
    if far and not wanted.get("key") and have >= Version(KEY_OR_NOTHING):
        found.append(
            f"omlx {version} does not start on {', '.join(far)} without a key: set closet_api_key, "
            "or keep it on loopback"
        )
    return found


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"omlx_refusals": refusals}

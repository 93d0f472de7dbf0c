# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accounts of a closet hold its keys, for playbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import key_holders as holders


def key_holders(
    found: list[Mapping[str, Any]],
    account: str,
    backend: str,
    omlx: str,
    gateway: str,
    also: str = "",
) -> dict[str, Any]:
    """What becomes of the holders in `found` when `account` serves with `backend`.

    `also` is a backend that this run has tried and may have given keys.
    """
    kinds = [
        holders.OMLX if name == "omlx" else holders.GATEWAY for name in (backend, also) if name
    ]
    known = holders.read(holders.text(found))
    paths = {holders.OMLX: str(omlx), holders.GATEWAY: str(gateway)}
    return holders.plan(known, str(account), kinds, paths).as_dict()


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"key_holders": key_holders}

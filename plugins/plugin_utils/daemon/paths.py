# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server of ours lives: its releases below /opt/closet, and its logs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ROOT = "/opt/closet"
LOGS = "/var/log/closet"


def paths(
    name: str, version: str, user: str, facts: Mapping[str, Any], *, companion: bool, previous: bool
) -> dict[str, Any]:
    """The paths of one server, for its role.

    Args:
        name: the server's name, and its folder below /opt/closet.
        version: the folder of the release that the inventory wants.
        user: the account that runs it.
        facts: what the probe found on the host; may be empty.
        companion: whether it is only installed beside another server, as the gateway is. What a
            companion ran from may then be the wanted release itself.
        previous: whether `path` is the release that served before, to go back to it.

    Returns:
        `label` of its job; `path`, the release to run from; `wanted`; `previous`, empty when there
        is none; `there`, whether `path` is complete on the host; `releases`, how many there are
        with `path`; `log` and `launchd_log`.
    """
    complete = [
        f"{ROOT}/{entry}" for entry in facts.get("installed") or () if entry.startswith(f"{name}/")
    ]
    wanted = f"{ROOT}/{name}/{version}"
    running = (facts.get("served_from") or {}).get(name, "")
    candidates = [path for path in (running, *complete) if path in complete]
    if companion:
        before = running if running in complete else wanted
    else:
        before = next((path for path in candidates if path != wanted), "")
    path = before if previous else wanted
    folder = f"{LOGS}/{name}{_suffix(user, facts)}"
    return {
        "label": label(name),
        "path": path,
        "wanted": wanted,
        "previous": before,
        "there": path in complete,
        "releases": len({*complete, path}),
        "log": f"{folder}/{name}.log",
        "launchd_log": f"{folder}.launchd.log",
    }


def label(name: str) -> str:
    """The label of its launchd job."""
    return f"inference.closet.{name.replace('_', '-')}"


def _suffix(user: str, facts: Mapping[str, Any]) -> str:
    """An account other than the administrator's has folders of its own: it may not read theirs."""
    if user == facts.get("user", user):
        return ""
    return "-" + re.sub(r"[^A-Za-z0-9._-]", "_", user)

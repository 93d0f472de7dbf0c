# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Open WebUI takes as TOOL_SERVER_CONNECTIONS; it says nothing itself about what it ignores.

Source: Open WebUI 0.12.4, open_webui/routers/configs.py and utils/tools.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KEYS: Mapping[str, tuple[type, ...]] = {
    "url": (str,),
    "path": (str,),
    "type": (str,),
    "auth_type": (str,),
    "key": (str,),
    "headers": (dict, type(None)),
    "config": (dict,),
    "info": (dict,),
}
CONFIG: Mapping[str, tuple[type, ...]] = {
    "enable": (bool,),
    "function_name_filter_list": (str,),
    "access_grants": (list,),
}
INFO: Mapping[str, tuple[type, ...]] = {"id": (str,), "name": (str,), "description": (str,)}
GRANT: Mapping[str, tuple[type, ...]] = {
    "principal_type": (str,),
    "principal_id": (str,),
    "permission": (str,),
}
TYPES = ("mcp", "openapi")
AUTH_TYPES = ("none", "bearer", "oauth_2.1")


def errors(connections: Any) -> list[str]:
    """An error for each thing that Open WebUI would not understand."""
    if not isinstance(connections, list):
        return ["TOOL_SERVER_CONNECTIONS is not a list"]
    found = []
    for number, each in enumerate(connections):
        where = f"connection {number + 1}"
        found += _shape(where, each, KEYS)
        if not isinstance(each, Mapping):
            continue
        found += _choice(where, each, "type", TYPES)
        found += _choice(where, each, "auth_type", AUTH_TYPES)
        found += _shape(f"{where}, config", each.get("config"), CONFIG)
        found += _shape(f"{where}, info", each.get("info"), INFO)
        if each.get("auth_type") == "bearer" and not each.get("key"):
            found.append(f"{where}: auth_type is bearer, and there is no key")
        for grant in _grants(each):
            found += _shape(f"{where}, access_grants", grant, GRANT)
    ids = [each["info"].get("id") for each in connections if _has_info(each)]
    found += [f"two connections have the id {name}" for name in dict.fromkeys(ids)
              if ids.count(name) > 1]  # fmt: skip
    return found


def _has_info(each: Any) -> bool:
    return isinstance(each, Mapping) and isinstance(each.get("info"), Mapping)


def _grants(each: Mapping[str, Any]) -> Iterable[Any]:
    config = each.get("config")
    grants = config.get("access_grants") if isinstance(config, Mapping) else None
    return grants if isinstance(grants, list) else ()


def _shape(where: str, given: Any, keys: Mapping[str, tuple[type, ...]]) -> list[str]:
    if not isinstance(given, Mapping):
        return [f"{where} is not a dictionary"]
    found = [f"{where}: {key} is missing" for key in keys if key not in given]
    found += [f"{where}: there is no {key}" for key in given if key not in keys]
    for key in given:
        if key in keys and not isinstance(given[key], keys[key]):
            found.append(f"{where}: {key} is of the wrong kind")
    return found


def _choice(
    where: str, given: Mapping[str, Any], key: str, choices: Sequence[str]
) -> Iterable[str]:
    if key in given and given[key] not in choices:
        yield f"{where}: {key} is {given[key]!r}, it can be {', '.join(choices)}"

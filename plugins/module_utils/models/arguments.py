# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may say, and the request that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models import authority
from ansible_collections.closet.inference.plugins.module_utils.models.plan import GB
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import check_proxy
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    read_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request

ARGUMENTS: dict[str, Any] = {
    "models": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "repo": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "name": {"type": "str"},
        },
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "exclusive": {"type": "bool", "default": False},
    "confirmed": {"type": "bool", "default": False},
    "confirm_command": {"type": "str"},
    "store": {"type": "path", "required": True},
    "serve_dir": {"type": "path", "required": True},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    "token": {"type": "str", "no_log": True},
    "proxy": {"type": "str", "no_log": True},
    "ca_certificates": {"type": "str"},
    "peers": {"type": "list", "elements": "str", "default": []},
    "server_url": {"type": "str"},
    "server_key": {"type": "str", "no_log": True},
    "server_stopped": {"type": "bool", "default": False},
    "server_idle_wait_s": {"type": "float", "default": 120},
    "reserve_gb": {"type": "float", "default": 10},
    "memory_ceiling_bytes": {"type": "int"},
    "verify": {"type": "str", "choices": ["manifest", "size", "sha256"], "default": "size"},
    "follow": {"type": "bool", "default": False},
    "fetch": {"type": "bool", "default": True},
    "progress": {"type": "bool", "default": True},
    "progress_path": {"type": "path"},
    "max_connections": {"type": "int", "default": 4},
    "hub_cache": {"type": "path"},
}


def read_request(params: Mapping[str, Any], check_mode: bool) -> Request:
    """Refuses what cannot be before anything is looked at."""
    _check_numbers(params)
    if params["proxy"]:
        check_proxy(params["proxy"])
    wrong = authority.problem(params["ca_certificates"]) if params["ca_certificates"] else None
    if wrong:
        raise ModelError(f"ca_certificates (models_ca_bundle) names no authority: {wrong}.")
    store, serve_dir = Path(params["store"]).absolute(), Path(params["serve_dir"]).absolute()
    if store in (serve_dir, *serve_dir.parents) or serve_dir in store.parents:
        raise ModelError(f"store {store} and serve_dir {serve_dir} must not lie in each other.")
    absent = params["state"] == "absent"
    if absent and params["exclusive"]:
        raise ModelError("exclusive goes with state: present; it is about what is not listed.")
    return Request(
        wants=read_wants(params["models"]),
        store=store,
        serve_dir=serve_dir,
        reserve=int(params["reserve_gb"] * GB),
        verify=params["verify"],
        follow=params["follow"],
        check_mode=check_mode,
        connections=params["max_connections"],
        progress_path=_path(params["progress_path"]),
        absent=absent,
        exclusive=params["exclusive"],
        confirmed=params["confirmed"],
        fetch=params["fetch"],
        ceiling=params["memory_ceiling_bytes"],
        hub_cache=_path(params["hub_cache"]),
        confirm_command=params["confirm_command"] or "",
    )


def _check_numbers(params: Mapping[str, Any]) -> None:
    if not 1 <= params["max_connections"] <= 32:
        raise ModelError(f"max_connections is {params['max_connections']}; it must be 1 to 32.")
    for name in ("reserve_gb", "server_idle_wait_s"):
        if params[name] < 0:
            raise ModelError(f"{name} is {params[name]}; it cannot be negative.")
    ceiling = params["memory_ceiling_bytes"]
    if ceiling is not None and ceiling <= 0:
        raise ModelError(f"memory_ceiling_bytes is {ceiling}; it must be more than 0.")


def _path(value: str | None) -> Path | None:
    return Path(value).absolute() if value else None

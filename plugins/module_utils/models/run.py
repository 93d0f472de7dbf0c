# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module omlx_model without Ansible: read the options, update the models, tell the server.

ARGUMENTS and read_request() are the options and their checks; make_tools() opens what a run needs
outside of this process; converge.py does the work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models import authority
from ansible_collections.closet.inference.plugins.module_utils.models.converge import converge
from ansible_collections.closet.inference.plugins.module_utils.models.disk import GB
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peers
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    check_proxy,
    describe_unreadable,
    environment_proxies,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    read_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import (
    Outcome,
    describe,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import Request, Tools
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    MOST_TRIES,
    WaitPolicy,
)
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    BUSY,
    Loaded,
    ReloadResult,
    Server,
    ask_loaded,
    not_queried,
    nothing_runs,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Transport,
    UrllibTransport,
    have_httpx,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

CHECK_MODE_TRIES = 2
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


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's result. Raises ModelError, whose sentence contains no secret."""
    request = read_request(params, check_mode)
    tools = make_tools(params, check_mode)
    url = params["server_url"]
    server = Server(url, params["server_key"] or None, Runner()) if url else None
    outcome = converge(request, tools)
    reloaded = _tell(request, outcome, server, params)
    result = {**describe(request, outcome), "server": None}
    warnings = list(outcome.warnings)
    left_out = None if params["proxy"] else describe_unreadable(environment_proxies())
    warnings += [left_out] if left_out else []
    if reloaded is not None:
        result["server"] = {"state": reloaded.state, "sentence": reloaded.sentence}
        warnings += [reloaded.sentence] if reloaded.state == BUSY else []
    return {**result, "warnings": warnings}


def _tell(
    request: Request, outcome: Outcome, server: Server | None, params: Mapping[str, Any]
) -> ReloadResult | None:
    """Tell the server last, when all models are in place, unless the task excludes it."""
    if server is None or request.check_mode or outcome.pending or params["server_stopped"]:
        return None
    plan = outcome.plan
    if request.absent and not plan.removal.changes:
        return None
    moved = any(model.incomplete for model in plan.models) or plan.links.changes
    changed = moved or plan.removal.changes
    weights = {model.want.name: model.weight_bytes for model in plan.models}
    return server.tell(weights, changed, params["server_idle_wait_s"])


def read_request(params: Mapping[str, Any], check_mode: bool) -> Request:
    """Check the options; ModelError before anything is read or connected."""
    _check_numbers(params)
    if params["proxy"]:
        check_proxy(params["proxy"])
    wrong = authority.problem(params["ca_certificates"]) if params["ca_certificates"] else None
    if wrong:
        raise ModelError(f"ca_certificates (models_ca_bundle) is not usable: {wrong}.")
    store, serve_dir = Path(params["store"]).absolute(), Path(params["serve_dir"]).absolute()
    if store in (serve_dir, *serve_dir.parents) or serve_dir in store.parents:
        raise ModelError(f"store {store} and serve_dir {serve_dir} must not contain each other.")
    absent = params["state"] == "absent"
    if absent and params["exclusive"]:
        raise ModelError(
            "exclusive is valid with state: present only; it removes the models outside the list."
        )
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
        raise ModelError(
            f"max_connections is {params['max_connections']}; it must be from 1 to 32."
        )
    for name in ("reserve_gb", "server_idle_wait_s"):
        if params[name] < 0:
            raise ModelError(f"{name} is {params[name]}; it cannot be negative.")
    ceiling = params["memory_ceiling_bytes"]
    if ceiling is not None and ceiling <= 0:
        raise ModelError(f"memory_ceiling_bytes is {ceiling}; it must be more than 0.")


def _path(value: str | None) -> Path | None:
    return Path(value).absolute() if value else None


def make_tools(params: Mapping[str, Any], check_mode: bool) -> Tools:
    """From the options. Imports httpx and connects only when that is needed."""
    endpoint, token = params["endpoint"], params["token"] or None
    proxy, connections = params["proxy"] or None, params["max_connections"]
    certificates = params["ca_certificates"] or None
    tries = CHECK_MODE_TRIES if check_mode else MOST_TRIES
    wait_policy = WaitPolicy()

    def hub(transport: Transport) -> Hub:
        return Hub(endpoint, token, transport, time.sleep, tries, wait_policy)

    @cache  # one client for the whole run, since each costs a TLS context
    def strong() -> Hub:
        try:
            return hub(HttpxTransport(connections, proxy, authority=certificates))
        except (ImportError, ValueError) as error:  # a SOCKS or malformed proxy, an invalid CA file
            raise ModelError(
                f"httpx cannot start with the proxy or CA settings of this environment: {error}."
            ) from error

    # made in any case: Hub refuses an invalid endpoint also when no request is needed
    simple = hub(UrllibTransport(proxy, authority=certificates))

    def ask() -> Hub:
        return strong() if have_httpx() else simple

    def carry() -> Hub:
        if not have_httpx():
            raise ModelError(
                f"a pull needs httpx, and {sys.executable} does not have it. Set models_python of "
                "the role models, or ansible_python_interpreter of the task, to a Python with "
                "httpx, such as bin/python of omlx's environment in /opt/closet/omlx."
            )
        return strong()

    peers = Peers(params["peers"], cache(lambda: _near(connections)))
    return Tools(ask, carry, time.sleep, peers, _loaded(params), wait_policy=wait_policy)


def _near(connections: int) -> Transport:
    """For other hosts of the LAN: no proxy, and no long wait for a sleeping host."""
    return HttpxTransport(connections, near=True) if have_httpx() else UrllibTransport(near=True)


def _loaded(params: Mapping[str, Any]) -> Callable[[], Loaded]:
    if params["server_stopped"]:
        return nothing_runs
    if not params["server_url"]:
        return not_queried
    return lambda: ask_loaded(params["server_url"], params["server_key"] or None)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of omlx_model without Ansible: the models, and then the server that serves them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.arguments import (
    read_request,
)
from ansible_collections.closet.inference.plugins.module_utils.models.converge import converge
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peers
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    describe_unreadable,
    environment_proxies,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.report import (
    describe,
    weights_of,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Outcome,
    Request,
    Tools,
)
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
    have_httpx,
)
from ansible_collections.closet.inference.plugins.module_utils.models.urllib_transport import (
    UrllibTransport,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's result; raises ModelError, whose sentence holds no secret."""
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
    """The server hears of it last, when everything is in place; and is left alone when told not."""
    if server is None or request.check_mode or outcome.pending or params["server_stopped"]:
        return None
    plan = outcome.plan
    if request.absent and not plan.removal.changes:
        return None
    moved = any(model.incomplete for model in plan.models) or plan.links.changes
    changed = moved or plan.removal.changes
    return server.tell(weights_of(plan), changed, params["server_idle_wait_s"])


CHECK_MODE_TRIES = 2


def make_tools(params: Mapping[str, Any], check_mode: bool) -> Tools:
    """From the arguments of the module. Nothing is imported or connected before it is needed."""
    endpoint, token = params["endpoint"], params["token"] or None
    proxy, connections = params["proxy"] or None, params["max_connections"]
    authority = params["ca_certificates"] or None
    tries = CHECK_MODE_TRIES if check_mode else MOST_TRIES
    wait_policy = WaitPolicy()

    def hub(transport: Transport) -> Hub:
        return Hub(endpoint, token, transport, time.sleep, tries, wait_policy)

    @cache  # one client for the whole run: each costs a TLS context
    def strong() -> Hub:
        try:
            return hub(HttpxTransport(connections, proxy, authority=authority))
        except (ImportError, ValueError) as error:  # a SOCKS or malformed proxy, a bad CA file
            raise ModelError(
                f"httpx does not start with this environment's proxy or CA settings: {error}."
            ) from error

    simple = hub(
        UrllibTransport(proxy, authority=authority)
    )  # also refuses a bad endpoint that nobody would be asked at

    def ask() -> Hub:
        return strong() if have_httpx() else simple

    def carry() -> Hub:
        if not have_httpx():
            raise ModelError(
                f"a pull needs httpx, and {sys.executable} has no httpx. Set models_python of the "
                "role models, or ansible_python_interpreter of the task, to a Python that has it, "
                "such as bin/python of omlx's environment in /opt/closet/omlx."
            )
        return strong()

    peers = Peers(params["peers"], cache(lambda: _near(connections)))
    return Tools(ask, carry, time.sleep, peers, _loaded(params), wait_policy=wait_policy)


def _near(connections: int) -> Transport:
    """For other hosts of the LAN: no proxy, and no long wait for one that sleeps."""
    return HttpxTransport(connections, near=True) if have_httpx() else UrllibTransport(near=True)


def _loaded(params: Mapping[str, Any]) -> Callable[[], Loaded]:
    if params["server_stopped"]:
        return nothing_runs
    if not params["server_url"]:
        return not_queried
    return lambda: ask_loaded(params["server_url"], params["server_key"] or None)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hubs come from in a real run: httpx when it is there, urllib for questions when not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.loaded import (
    Loaded,
    ask_loaded,
    nobody_to_ask,
    nothing_runs,
)
from ansible_collections.closet.inference.plugins.module_utils.models.patience import (
    MOST_TRIES,
    Patience,
)
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peers
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.request import Tools
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Transport,
    have_httpx,
)
from ansible_collections.closet.inference.plugins.module_utils.models.urllib_transport import (
    UrllibTransport,
)

CHECK_MODE_TRIES = 2


def make_tools(params: Mapping[str, Any], check_mode: bool) -> Tools:
    """From the arguments of the module. Nothing is imported or connected before it is needed."""
    endpoint, token = params["endpoint"], params["token"] or None
    proxy, connections = params["proxy"] or None, params["max_connections"]
    authority = params["ca_certificates"] or None
    tries = CHECK_MODE_TRIES if check_mode else MOST_TRIES
    patience = Patience()

    def hub(transport: Transport) -> Hub:
        return Hub(endpoint, token, transport, time.sleep, tries, patience)

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
                f"models have to be fetched, and {sys.executable} has no httpx. Run this task "
                "with the Python of the environment that omlx was installed into "
                "(ansible_python_interpreter)."
            )
        return strong()

    peers = Peers(params["peers"], cache(lambda: _near(connections)))
    return Tools(ask, carry, time.sleep, peers, _loaded(params), patience=patience)


def _near(connections: int) -> Transport:
    """For other hosts of the LAN: no proxy, and no long wait for one that sleeps."""
    return HttpxTransport(connections, near=True) if have_httpx() else UrllibTransport(near=True)


def _loaded(params: Mapping[str, Any]) -> Callable[[], Loaded]:
    if params["server_stopped"]:
        return nothing_runs
    if not params["server_url"]:
        return nobody_to_ask
    return lambda: ask_loaded(params["server_url"], params["server_key"] or None)

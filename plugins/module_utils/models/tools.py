# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where hubs come from in a real run: httpx when it is there, urllib for questions when not."""

from __future__ import annotations

import sys
import time
from functools import cache

from ansible_collections.closet.inference.plugins.module_utils.models.converge import Tools
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.patience import MOST_TRIES
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Transport,
    UrllibTransport,
    have_httpx,
)

CHECK_MODE_TRIES = 2


def make_tools(
    endpoint: str,
    token: str | None,
    connections: int,
    check_mode: bool,
    proxy: str | None = None,
) -> Tools:
    """Nothing is imported or connected before a hub is asked for."""
    tries = CHECK_MODE_TRIES if check_mode else MOST_TRIES

    def hub(transport: Transport) -> Hub:
        return Hub(endpoint, token or None, transport, time.sleep, tries)

    @cache  # one client for the whole run: each costs a TLS context
    def strong() -> Hub:
        try:
            return hub(HttpxTransport(connections, proxy))
        except (ImportError, ValueError) as error:  # a SOCKS or malformed proxy, a bad CA file
            raise ModelError(
                f"httpx does not start with this environment's proxy or CA settings: {error}."
            ) from error

    simple = hub(UrllibTransport(proxy))  # also refuses a bad endpoint that nobody would be asked at

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

    return Tools(ask, carry, time.sleep)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of omlx_model without Ansible: the models, and then the server that serves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.arguments import (
    read_request,
)
from ansible_collections.closet.inference.plugins.module_utils.models.converge import converge
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    describe_unreadable,
    environment_proxies,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import (
    describe,
    weights_of,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Outcome,
    Request,
)
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    BUSY,
    Server,
    Told,
)
from ansible_collections.closet.inference.plugins.module_utils.models.tools import make_tools
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's result; raises ModelError, whose sentence holds no secret."""
    request = read_request(params, check_mode)
    tools = make_tools(params, check_mode)
    url = params["server_url"]
    server = Server(url, params["server_key"] or None, Runner()) if url else None
    outcome = converge(request, tools)
    told = _tell(request, outcome, server, params)
    result = {**describe(request, outcome), "server": None}
    warnings = list(outcome.warnings)
    left_out = None if params["proxy"] else describe_unreadable(environment_proxies())
    warnings += [left_out] if left_out else []
    if told is not None:
        result["server"] = {"state": told.state, "sentence": told.sentence}
        warnings += [told.sentence] if told.state == BUSY else []
    return {**result, "warnings": warnings}


def _tell(
    request: Request, outcome: Outcome, server: Server | None, params: Mapping[str, Any]
) -> Told | None:
    """The server hears of it last, when everything is in place; and is left alone when told not."""
    if server is None or request.check_mode or outcome.pending or params["server_stopped"]:
        return None
    plan = outcome.plan
    if request.absent and not plan.removal.changes:
        return None
    moved = any(model.incomplete for model in plan.models) or plan.links.changes
    changed = moved or plan.removal.changes
    return server.tell(weights_of(plan), changed, params["server_idle_wait_s"])

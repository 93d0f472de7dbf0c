# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx on this host, asked for its keys and its models, and told others.

Source: omlx v0.5.0, omlx/admin/routes.py; the same routes are in the fork that the lab runs.
"""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import quote

from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import Base, Reply
from ansible_collections.closet.inference.plugins.module_utils.omlx_admin import (
    Admin,
    OmlxError,
    Request,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    Keys,
    KeyStep,
    from_auth,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.models import (
    Change,
    Listed,
    listed,
)

GLOBAL = "/admin/api/global-settings"
SUB_KEYS = "/admin/api/sub-keys"
MODELS = "/admin/api/models"
LOAD_S = 900.0


class Running:
    """What omlx has in memory. Each failure is an OmlxError."""

    def __init__(self, host: str, port: int) -> None:
        name = f"[{host}]" if ":" in host else host
        self._admin = Admin(Base(f"http://{name}:{port}", False, host, port, ""))

    def login(self, main_key: str) -> bool:
        """Whether this key administers it; raises ForeignError for what is not omlx."""
        return self._admin.login(main_key)

    def is_open(self) -> bool:
        """Whether it is an omlx that asks for no key; raises ForeignError for anything else."""
        self._admin.find()
        return self.opens("")

    def keys(self) -> Keys:
        """The keys it takes now; only after a login."""
        settings = self._admin.admin_json(Request("GET", GLOBAL))
        auth = settings.get("auth") if isinstance(settings, dict) else None
        if not isinstance(auth, dict):
            raise OmlxError("it does not say which keys it takes")
        return from_auth(auth)

    def apply(self, step: KeyStep) -> None:
        """Do one step, live; omlx writes its settings.json itself."""
        reply = self._admin.admin(_request(step))
        gone = step.verb == "remove" and reply.status == http.client.NOT_FOUND
        if reply.status != http.client.OK and not gone:
            # the detail is omlx's own sentence about the request; none of them repeats a key
            raise OmlxError(f"it refuses to change a key ({step.verb}: {_detail(reply)})")

    def opens(self, key: str) -> bool:
        """Whether `/v1` answers to this key; anything but yes and 401 raises OmlxError."""
        reply = self._admin.ask(Request("GET", "/v1/models"), key)
        if reply.status in (http.client.OK, http.client.UNAUTHORIZED):
            return reply.status == http.client.OK
        raise OmlxError(f"/v1/models answers {reply.status}")

    def models(self) -> dict[str, Listed]:
        """What it serves, with settings; only after a login."""
        return _rows(self._admin.admin_json(Request("GET", MODELS)))

    def models_without_key(self) -> dict[str, Listed]:
        """The same without settings, of a server that asks for no key."""
        return _rows(self._admin.public("/v1/models/status"))

    def tell(self, change: Change, main_key: str) -> None:
        """Send one change; a model that is pinned now is loaded now."""
        name = quote(change.model, safe="")
        reply = self._admin.admin(Request("PUT", f"{MODELS}/{name}/settings", dict(change.keys)))
        if reply.status != http.client.OK:
            raise OmlxError(f"it answered {_detail(reply)} to settings of {change.model}")
        if change.pins:
            load = Request("POST", f"/v1/models/{name}/load", {}, LOAD_S)
            reply = self._admin.ask(load, main_key)
            if reply.status != http.client.OK:
                raise OmlxError(f"it answered {_detail(reply)} when told to load {change.model}")


def _rows(answer: Any) -> dict[str, Listed]:
    rows = answer.get("models") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise OmlxError("it does not say which models it serves")
    return {row["id"]: listed(row) for row in rows if "id" in row}


def _request(step: KeyStep) -> Request:
    if step.verb == "main":
        return Request("POST", GLOBAL, {"api_key": step.key})
    if step.verb == "add":
        return Request("POST", SUB_KEYS, {"key": step.key, "name": step.name})
    return Request("DELETE", SUB_KEYS, {"key": step.key})


def _detail(reply: Reply) -> str:
    """Status and omlx's own sentence; a list of it repeats what was sent, and stays out."""
    document = reply.document()
    said = document if isinstance(document, dict) else {}
    error = said.get("error")
    detail = error.get("message") if isinstance(error, dict) else said.get("detail")
    return f"{reply.status} ({detail})" if isinstance(detail, str) else str(reply.status)

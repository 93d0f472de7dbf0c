# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a running omlx over loopback, and what it is told."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.closet.inference.plugins.module_utils.omlx_live.plan import Change, plan

Result = dict[str, Any]
LOOPBACK = "127.0.0.1"
PATIENCE_S = 15.0
LOAD_PATIENCE_S = 900.0


class NotToldError(RuntimeError):
    """The running server was not brought to the wanted settings."""


class Server:
    """omlx's admin pages on this host; http.client knows no proxies, so the key stays here."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        bearer: str = "",
        patience_s: float = PATIENCE_S,
    ) -> tuple[int, Any]:
        """Status and document of one request; (0, None) when nothing listens."""
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=patience_s)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._cookie:
            headers["Cookie"] = self._cookie
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, headers)
            reply = connection.getresponse()
            self._cookie = (reply.getheader("Set-Cookie") or self._cookie).partition(";")[0]
            return reply.status, _document(reply.read())
        except ConnectionRefusedError:
            return 0, None
        except (OSError, http.client.HTTPException) as error:
            raise NotToldError(f"omlx on port {self._port} broke off: {error}") from error
        finally:
            connection.close()

    def login(self, api_key: str) -> int:
        """The status of a login."""
        return self.ask("POST", "/admin/api/login", {"api_key": api_key})[0]

    def models(self) -> dict[str, Any]:
        """Settings by model."""
        status, document = self.ask("GET", "/admin/api/models")
        if status != http.client.OK or not isinstance(document, dict):
            raise NotToldError(f"omlx answered {status} when asked for its models")
        return {model["id"]: model.get("settings") or {} for model in document.get("models", [])}

    def tell(self, change: Change, api_key: str) -> None:
        """Send one change; a model that is pinned now is loaded now."""
        path = f"/admin/api/models/{quote(change.model)}/settings"
        status, document = self.ask("PUT", path, dict(change.keys))
        if status != http.client.OK:
            raise NotToldError(f"omlx answered {status} to settings of {change.model}: {document}")
        if change.pins:
            path = f"/v1/models/{quote(change.model)}/load"
            status, document = self.ask("POST", path, {}, api_key, LOAD_PATIENCE_S)
            if status != http.client.OK:
                raise NotToldError(
                    f"omlx answered {status} when told to load {change.model}: {document}"
                )


def execute(server: Server, models: Mapping[str, Any], api_key: str, check_mode: bool) -> Result:
    """Bring a running server to `models`; what is not running is not told."""
    if not api_key:
        return {"changed": False, "running": None, "told": False, "changed_keys": [], "ignored": []}
    status = server.login(api_key)
    result: Result = {"changed": False, "running": status != 0, "told": False}
    result.update(changed_keys=[], ignored=[], changes=[])
    if status != http.client.OK:
        return result
    changes = plan(models, server.models())
    result["told"] = True
    if not changes:
        return result
    result["changes"] = changes
    if not check_mode:
        for change in changes:
            server.tell(change, api_key)
        left = plan(models, server.models()) or []
        result["ignored"] = [f"{one.model}.{key}" for one in left for key in one.keys]
    keys = [f"{change.model}.{key}" for change in changes for key in change.keys]
    result["changed_keys"] = [key for key in keys if key not in result["ignored"]]
    result["changed"] = bool(result["changed_keys"])
    return result


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None

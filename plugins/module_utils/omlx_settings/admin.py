# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx on this host, asked for its keys and told others, over loopback.

Source: omlx v0.5.0, omlx/admin/routes.py; the same routes are in the fork that the lab runs.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    Keys,
    KeyStep,
    from_auth,
)

TIMEOUT_S = 20.0
COOKIE = "omlx_admin_session"


class NotThereError(Exception):
    """Nothing listens, or what listens is not omlx."""


class SilentError(Exception):
    """omlx is there and does not answer, or refuses what it should do; the text says what."""


@dataclass(frozen=True)
class Answer:
    """One whole answer."""

    status: int
    body: Any
    cookie: str = ""


class Admin:
    """The admin pages of one omlx. Keys go over loopback alone, and only to an omlx."""

    def __init__(self, host: str, port: int, timeout_s: float = TIMEOUT_S) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._cookie = ""

    def find(self) -> None:
        """See that it is omlx that listens; raises NotThereError or SilentError."""
        try:
            answer = self._ask("GET", "/health")
        except ConnectionRefusedError as error:
            raise NotThereError from error
        except (OSError, http.client.HTTPException) as error:
            raise SilentError(f"it takes the connection and does not answer: {error}") from error
        if not isinstance(answer.body, dict) or "engine_pool" not in answer.body:
            raise NotThereError

    def login(self, main_key: str) -> bool:
        """Whether this key administers it."""
        answer = self._told("POST", "/admin/api/login", {"api_key": main_key, "remember": False})
        self._cookie = answer.cookie
        return answer.status == http.client.OK and bool(answer.cookie)

    def keys(self) -> Keys:
        """The keys it takes now; only after a login."""
        answer = self._told("GET", "/admin/api/global-settings")
        auth = answer.body.get("auth") if isinstance(answer.body, dict) else None
        if answer.status != http.client.OK or not isinstance(auth, dict):
            raise SilentError(f"it does not say which keys it takes ({answer.status})")
        return from_auth(auth)

    def apply(self, step: KeyStep) -> None:
        """Do one step, live; omlx writes its settings.json itself."""
        if step.verb == "main":
            answer = self._told("POST", "/admin/api/global-settings", {"api_key": step.key})
        elif step.verb == "add":
            body = {"key": step.key, "name": step.name}
            answer = self._told("POST", "/admin/api/sub-keys", body)
        else:
            answer = self._told("DELETE", "/admin/api/sub-keys", {"key": step.key})
        gone = step.verb == "remove" and answer.status == http.client.NOT_FOUND
        if answer.status != http.client.OK and not gone:
            # the detail is omlx's own sentence about the request; none of them repeats a key
            raise SilentError(f"it refuses to change a key ({step.verb}: {_detail(answer)})")

    def opens(self, key: str) -> bool:
        """Whether `/v1` answers to this key; anything but yes and 401 raises SilentError."""
        answer = self._told("GET", "/v1/models", key=key)
        if answer.status in (http.client.OK, http.client.UNAUTHORIZED):
            return answer.status == http.client.OK
        raise SilentError(f"/v1/models answers {answer.status}")

    def _told(self, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        try:
            return self._ask(method, path, body, key)
        except (OSError, http.client.HTTPException) as error:
            raise SilentError(f"{method} {path} got no answer: {error}") from error

    def _ask(self, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        """One request on a connection of its own, past every proxy."""
        headers = {"Accept": "application/json", "User-Agent": "closet.inference"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        elif self._cookie:
            headers["Cookie"] = f"{COOKIE}={self._cookie}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return Answer(response.status, _json(text), _cookie(response))
        finally:
            connection.close()


def _cookie(response: http.client.HTTPResponse) -> str:
    for header in response.headers.get_all("Set-Cookie") or []:
        name, _sign, value = header.split(";", 1)[0].partition("=")
        if name.strip() == COOKIE:
            return value.strip()
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _detail(answer: Answer) -> str:
    detail = answer.body.get("detail") if isinstance(answer.body, dict) else None
    return f"{answer.status} {detail}" if isinstance(detail, str) else str(answer.status)

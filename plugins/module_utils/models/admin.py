# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP of a running omlx: its status with the key, its admin API with a session cookie.

http.client, since it looks at no proxy variable (the server is this host or its neighbour), and
since a server can be told of models where httpx was never installed. omlx wants the main key at
its login only; its admin routes refuse it (facts of 0.3 to 0.7: a cookie or nothing).
"""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    BadUrlError,
    Base,
    Reply,
    parse_base,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError

ANSWER_S = 30.0
LARGEST_ANSWER = 16 << 20
STARTING = (502, 503, 504)
COOKIE = "omlx_admin_session"


class ServerDownError(Exception):
    """Nobody answers there, or not to the end; `refused`: nothing listens at all."""

    def __init__(self, words: str, *, refused: bool = False) -> None:
        super().__init__(words)
        self.refused = refused


@dataclass(frozen=True)
class Request:
    """One question; `path` below the server's address."""

    method: str
    path: str
    body: Any = None
    answer_s: float = ANSWER_S


class Admin:
    """One omlx. Logs in when a route first wants it, and again when a session has ended."""

    def __init__(self, url: str, key: str | None) -> None:
        self._base = _base(url)
        self._key = _checked(key) if key else None
        self._cookie: str | None = None

    @property
    def place(self) -> str:
        """How sentences call the server."""
        return f"omlx at {self._base.url}"

    def public(self, path: str) -> Any:
        """A route of the API, which takes the key as it is; the JSON."""
        return self._json(self._send(Request("GET", path), self._bearer()), path)

    def admin(self, request: Request) -> Reply:
        """A route of the admin API, logged in; whatever it answers but 401."""
        for _attempt in (1, 2):
            if self._cookie is None and self._key is not None:
                self._log_in()
            headers = {"Cookie": f"{COOKIE}={self._cookie}"} if self._cookie else {}
            reply = self._send(request, headers)
            if reply.status != 401:
                return reply
            self._cookie = None  # the session has ended; with a key, once more
            if self._key is None:
                break
        raise ModelError(self._no_admin())

    def admin_json(self, request: Request) -> Any:
        """The same, where only a 200 with JSON will do."""
        return self._json(self.admin(request), request.path)

    def _log_in(self) -> None:
        body = {"api_key": self._key, "remember": False}
        reply, cookie = self._exchange(Request("POST", "/admin/api/login", body), {})
        if reply.status == 200 and cookie:
            self._cookie = cookie
        elif reply.status == 401:
            raise ModelError(
                f"{self.place} refused the key at its login. Its admin API takes the main key "
                "alone (auth.api_key in its settings.json); a laptop's key will not do."
            )
        elif reply.status == 404:
            raise self._foreign("/admin/api/login")
        elif reply.status != 400:  # 400: it has no key, and the route says what that means
            # its own words stay out: a validation error repeats what it was sent
            raise ModelError(f"{self.place} did not take the login (status {reply.status}).")

    def _no_admin(self) -> str:
        if self._key is None:
            return (
                f"{self.place} wants a login for its admin API, and no server_key was given. "
                "It is the main key, auth.api_key in its settings.json."
            )
        return (
            f"{self.place} has no API key of its own, and closes its admin API until it has one. "
            "Run the playbook that provisions it, or set auth.api_key in its settings.json."
        )

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def _json(self, reply: Reply, path: str) -> Any:
        if reply.status == 401:
            raise ModelError(f"{self.place} wants a key and did not take the one given (401).")
        if reply.status == 404:
            raise self._foreign(path)
        document = reply.document()
        if reply.status != 200 or document is None:
            raise ModelError(
                f"{self.place} answered {path} with status {reply.status}: {reply.complaint()}."
            )
        return document

    def _foreign(self, path: str) -> ModelError:
        return ModelError(
            f"what answers at {self._base.url} is not omlx: it has no {path}. Look at server_url."
        )

    def _send(self, request: Request, headers: dict[str, str]) -> Reply:
        return self._exchange(request, headers)[0]

    def _exchange(self, request: Request, headers: dict[str, str]) -> tuple[Reply, str | None]:
        """The answer, and the session if it brought one. A connection of its own each time:
        between two polls lie seconds, and perhaps a restart."""
        kind = http.client.HTTPSConnection if self._base.secure else http.client.HTTPConnection
        connection = kind(self._base.host, self._base.port, timeout=request.answer_s)
        sent = {"Accept": "application/json", "User-Agent": "closet.inference", **headers}
        data = None
        if request.body is not None:
            data = json.dumps(request.body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(request.method, self._base.path + request.path, data, sent)
            response = connection.getresponse()
            text = response.read(LARGEST_ANSWER).decode("utf-8", "replace")
            cookies = response.headers.get_all("Set-Cookie") or []
        except (OSError, http.client.HTTPException) as error:
            raise _down(error, self.place) from error
        finally:
            connection.close()
        if response.status in STARTING:
            raise ServerDownError(f"{self.place} is not ready (status {response.status})")
        return Reply(response.status, text), _session(cookies)


def _base(url: str) -> Base:
    """The server's address; a client's url, with /v1 at its end, is taken as well."""
    bare = url.strip().rstrip("/")
    try:
        return parse_base(bare[: -len("/v1")] if bare.endswith("/v1") else bare)
    except BadUrlError as error:
        raise ModelError(f"server_url cannot be used: {error}.") from error


def _checked(key: str) -> str:
    """A key as omlx accepts them; http.client would show another one in its error."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelError("server_key cannot be a key of omlx: those are ASCII without blanks.")
    return key


def _session(cookies: list[str]) -> str | None:
    for cookie in cookies:
        name, _equals, rest = cookie.partition("=")
        if name.strip() == COOKIE:
            return rest.partition(";")[0]
    return None


def _down(error: Exception, place: str) -> ServerDownError:
    if isinstance(error, ConnectionRefusedError):
        return ServerDownError(f"{place} is down: nothing listens there", refused=True)
    if isinstance(error, (socket.timeout, TimeoutError)):
        return ServerDownError(f"{place} did not answer in time")
    if isinstance(error, socket.gaierror):
        return ServerDownError(f"{place} is not to be found: {error.strerror}")
    return ServerDownError(f"{place} broke off: {error or type(error).__name__}")

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP of a running omlx: its API with a key, its admin API with a session cookie.

omlx accepts the main key only at its login; its admin routes need a cookie (facts of 0.3 to 0.7). A
key is sent only to a server that has identified itself as omlx.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    Base,
    BrokenReplyError,
    LongReplyError,
    NoConnectionError,
    Reply,
    Wire,
    parse_base,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

ANSWER_S = 30.0
STARTING = (502, 503, 504)
COOKIE = "omlx_admin_session"
LOGIN = "/admin/api/login"


class OmlxError(Exception):
    """What is wrong, in words without a full stop at their end and without a secret."""


class ForeignError(OmlxError):
    """What answers there is not omlx."""


class NoKeyError(OmlxError):
    """The admin API was wanted without a main key."""


class BadKeyError(OmlxError):
    """A key that omlx would never take, and that http.client would show in its error."""

    def __init__(self) -> None:
        super().__init__("that cannot be a key of omlx: those are ASCII without blanks")


class ServerDownError(OmlxError):
    """The server does not answer completely; `refused`: nothing listens at the port."""

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

    def __init__(self, where: str | Base, key: str | None = None) -> None:
        """`where` may be a client's url, with /v1 at its end. Raises BadUrlError, BadKeyError."""
        self._base = where if isinstance(where, Base) else _base(where)
        self._key = _checked(key) if key else None
        self._cookie: str | None = None
        self._found = False

    @property
    def place(self) -> str:
        """How sentences call the server."""
        return f"omlx at {self._base.url}"

    def find(self) -> None:
        """See that it is omlx that answers; raises ForeignError. Asked again after a silence."""
        if self._found:
            return
        health = self._send(Request("GET", "/health"), {}).document()
        if not isinstance(health, dict) or "engine_pool" not in health:
            raise ForeignError(
                f"what answers at {self._base.url} is not omlx: its /health is another's"
            )
        self._found = True

    def ask(self, request: Request, key: str | None) -> Reply:
        """A route of the API, with this key or with none; whatever it answers."""
        if not key:
            return self._send(request, {})
        self.find()
        return self._send(request, {"Authorization": f"Bearer {_checked(key)}"})

    def public(self, path: str) -> Any:
        """The same with the key that was given, where only a 200 with JSON will do."""
        return self._json(self.ask(Request("GET", path), self._key), path)

    def login(self, key: str) -> bool:
        """Whether this key administers the server; from now on it does so for us."""
        reply = self._login(key)
        self._cookie = _session(reply)
        if reply.status == http.client.OK and self._cookie:
            self._key = key
            return True
        return False

    def admin(self, request: Request) -> Reply:
        """A route of the admin API, logged in; whatever it answers but 401."""
        for _attempt in (1, 2):
            if self._cookie is None and self._key is not None:
                self._log_in(self._key)
            headers = {"Cookie": f"{COOKIE}={self._cookie}"} if self._cookie else {}
            reply = self._send(request, headers)
            if reply.status != http.client.UNAUTHORIZED:
                return reply
            self._cookie = None  # the session has ended; with a key, once more
            if self._key is None:
                raise NoKeyError(
                    f"{self.place} wants a login for its admin API, and no main key was given. It "
                    "is auth.api_key in its settings.json"
                )
        raise OmlxError(
            f"{self.place} has no API key of its own, and closes its admin API until it has one. "
            "Run the playbook that provisions it, or set auth.api_key in its settings.json"
        )

    def admin_json(self, request: Request) -> Any:
        """The same, where only a 200 with JSON will do."""
        return self._json(self.admin(request), request.path)

    def _login(self, key: str) -> Reply:
        self.find()
        return self._send(Request("POST", LOGIN, {"api_key": key, "remember": False}), {})

    def _log_in(self, key: str) -> None:
        reply = self._login(key)
        cookie = _session(reply)
        if reply.status == http.client.OK and cookie:
            self._cookie = cookie
        elif reply.status == http.client.UNAUTHORIZED:
            raise OmlxError(
                f"{self.place} refused the key at its login. Its admin API takes the main key "
                "alone (auth.api_key in its settings.json); a laptop's key will not do"
            )
        elif reply.status == http.client.NOT_FOUND:
            raise self._foreign(LOGIN)
        # 400: it has no key, and the route says what that means
        elif reply.status != http.client.BAD_REQUEST:
            # its own words stay out: a validation error repeats what it was sent
            raise OmlxError(f"{self.place} did not take the login (status {reply.status})")

    def _json(self, reply: Reply, path: str) -> Any:
        if reply.status == http.client.UNAUTHORIZED:
            raise OmlxError(f"{self.place} wants a key and did not take the one given (401)")
        if reply.status == http.client.NOT_FOUND:
            raise self._foreign(path)
        document = reply.document()
        if reply.status != http.client.OK or document is None:
            raise OmlxError(
                f"{self.place} answered {path} with status {reply.status}: {reply.complaint()}"
            )
        return document

    def _foreign(self, path: str) -> ForeignError:
        return ForeignError(f"what answers at {self._base.url} is not omlx: it has no {path}")

    def _send(self, request: Request, headers: dict[str, str]) -> Reply:
        """A connection of its own each time: between two polls lie seconds, perhaps a restart."""
        runner = Runner()
        wire = Wire(self._base, None, runner, runner.now() + request.answer_s)
        try:
            reply = wire.request(request.method, request.path, request.body, headers)
        except LongReplyError as error:
            raise OmlxError(f"{self.place}, {request.path}: {error}") from error
        except (NoConnectionError, BrokenReplyError) as error:
            self._found = False  # who knows what will listen there
            raise _down(error, self.place) from error
        finally:
            wire.close()
        if reply.status in STARTING:
            raise ServerDownError(f"{self.place} is not ready (status {reply.status})")
        return reply


def _base(url: str) -> Base:
    bare = url.strip().rstrip("/")
    return parse_base(bare[: -len("/v1")] if bare.endswith("/v1") else bare)


def _checked(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadKeyError
    return key


def _session(reply: Reply) -> str | None:
    for cookie in reply.cookies:
        name, _equals, rest = cookie.partition("=")
        if name.strip() == COOKIE:
            return rest.partition(";")[0].strip() or None
    return None


def _down(error: NoConnectionError | BrokenReplyError, place: str) -> ServerDownError:
    if isinstance(error, NoConnectionError):
        refused = error.cause.kind == "refused"
        return ServerDownError(f"{place} is down: {error.cause.words}", refused=refused)
    return ServerDownError(f"{place} did not answer: {error}")

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to a /v1 with the standard library alone, with deadlines and without proxies.

http.client ignores HTTP_PROXY. A laptop's shell may set it, and a proxy cannot resolve the names of
the LAN.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.network_errors import (
    Cause,
    describe_os_error,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

CONNECT_TIMEOUT_S = 5.0
LARGEST_BODY = 16 * 1024 * 1024
PIECE = 65536


class BadUrlError(ValueError):
    """The url cannot be meant."""


class NoConnectionError(Exception):
    """The server was not reached; `cause` says why."""

    def __init__(self, base: Base, cause: Cause) -> None:
        place = f"{base.host} port {base.port}"
        silent = f"{place} does not answer (host off, or a firewall)"
        super().__init__(silent if cause.kind == "silent" else f"{place}: {cause.words}")
        self.cause = cause


class BrokenReplyError(Exception):
    """The connection was there and its answer did not come, not in time, or made no sense."""


class LongReplyError(BrokenReplyError):
    """The answer is longer than any that makes sense."""


@dataclass(frozen=True)
class Base:
    """Where a /v1 is."""

    url: str
    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    text: str
    cookies: tuple[str, ...] = ()

    def document(self) -> Any:
        """The body as JSON (it may start with blanks that kept the connection alive), or None."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def complaint(self) -> str:
        """What the server says is wrong, shortened."""
        document = self.document()
        if isinstance(document, dict):
            error = document.get("error", document.get("detail"))
            message = error.get("message") if isinstance(error, dict) else error
            if message:
                return shortened(str(message))
        return shortened(self.text) or "(nothing)"


def shortened(text: str, limit: int = 300) -> str:
    """One line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def parse_base(url: str) -> Base:
    """Take a url such as http://attic.local:8000/v1 apart; raises BadUrlError."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadUrlError(f"url '{url}' is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUrlError(f"url '{url}' is not an address such as http://attic.local:8000/v1")
    if parts.username or parts.query or parts.fragment:
        raise BadUrlError("url may hold neither a name, nor a password, nor a query")
    secure = parts.scheme == "https"
    path = parts.path.rstrip("/")
    return Base(
        url.strip().rstrip("/"), secure, parts.hostname, port or (443 if secure else 80), path
    )


class Wire:
    """One connection to one /v1."""

    def __init__(self, base: Base, api_key: str | None, runner: Runner, deadline: float) -> None:
        self._base = base
        self._runner = runner
        self._deadline = deadline
        self._headers = {"Accept": "application/json", "User-Agent": "closet.inference"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        kind = http.client.HTTPSConnection if base.secure else http.client.HTTPConnection
        self._connection = kind(base.host, base.port, timeout=CONNECT_TIMEOUT_S)

    def connect(self) -> None:
        """Open the connection; raises NoConnectionError."""
        self._connection.timeout = max(0.1, min(CONNECT_TIMEOUT_S, self._left()))
        try:
            self._connection.connect()
        except OSError as error:
            raise NoConnectionError(self._base, describe_os_error(error)) from error

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def get(self, path: str) -> Reply:
        """GET below the address."""
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Reply:
        """POST a JSON body below the address."""
        return self.request("POST", path, body)

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Any other; raises NoConnectionError or BrokenReplyError."""
        return self._whole(self._started(method, path, body, headers))

    def stream(self, path: str, body: Any) -> tuple[Reply | None, Iterator[tuple[float, Any]]]:
        """POST and read server-sent events: (the refusal or None, (time, event) as they come)."""
        response = self._started("POST", path, body)
        if response.status != http.client.OK:
            return self._whole(response), iter(())
        return None, self._events(response)

    def _left(self) -> float:
        return self._deadline - self._runner.now()

    def _started(
        self, method: str, path: str, body: Any, more: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        headers = {**self._headers, **(more or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            if self._connection.sock is None:
                self.connect()
            self._limit_wait()
            self._connection.request(method, self._base.path + path, data, headers)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise BrokenReplyError(_broken(error)) from error

    def _limit_wait(self) -> None:
        """Wait for the next bytes no longer than until the deadline."""
        if self._left() <= 0:
            raise BrokenReplyError("the answer did not end in time")
        if self._connection.sock is not None:
            self._connection.sock.settimeout(max(0.1, self._left()))

    def _pieces(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            self._limit_wait()
            try:
                piece = response.read1(PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise BrokenReplyError(_broken(error)) from error
            if not piece:
                response.close()  # read1 does not, and the connection would not take a new request
                return
            yield piece

    def _whole(self, response: http.client.HTTPResponse) -> Reply:
        body = b""
        for piece in self._pieces(response):
            body += piece
            if len(body) > LARGEST_BODY:
                raise LongReplyError(f"the answer is longer than {LARGEST_BODY} bytes")
        cookies = response.headers.get_all("Set-Cookie") or ()
        return Reply(response.status, body.decode("utf-8", "replace"), tuple(cookies))

    def _events(self, response: http.client.HTTPResponse) -> Iterator[tuple[float, Any]]:
        """Events with the time they came; comments and blank lines keep the connection alive."""
        rest = b""
        for piece in self._pieces(response):
            now = self._runner.now()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if not line.startswith(b"data:"):
                    continue
                data = line[len(b"data:") :].strip()
                if data == b"[DONE]":
                    return
                try:
                    yield now, json.loads(data)
                except ValueError as error:
                    words = shortened(data.decode("utf-8", "replace"), 80)
                    raise BrokenReplyError(f"an event is not JSON: {words}") from error


def _broken(error: Exception) -> str:
    cause = describe_os_error(error)
    return f"the answer broke off: {cause.words}" if cause.kind == "other" else cause.words

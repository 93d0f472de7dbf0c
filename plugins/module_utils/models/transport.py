# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP: the smallest interface that a hub client needs, implemented twice.

httpx carries the downloads. urllib is for small questions where httpx is not installed yet (check
mode on a new host).
"""

from __future__ import annotations

import http.client
import importlib.util
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.authority import (
    describe_certificate,
    trust,
)
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    Proxies,
    environment_proxies,
)
from ansible_collections.closet.inference.plugins.module_utils.network_errors import (
    chain,
    describe_os_error,
)

CONNECT_TIMEOUT_S = 15.0
CONNECT_NEAR_S = 3.0
SILENCE_TIMEOUT_S = 30.0
USER_AGENT = "closet.inference"
LARGEST_ANSWER = 64 << 20
CHUNK_BYTES = 512 << 10
ORIGINS = 2  # the hub, and the storage that it redirects to


class TransportError(Exception):
    """No answer, or an incomplete one. The text has the cause, without the address.

    `lasting`: another try does not help.
    """

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Response(Protocol):
    """An answer whose body has not been read. Header names are lower case.

    `headers` are those of the last answer, often from the hub's storage; `first_headers` those of
    the first one, before redirects, from the hub itself. `url` is the address of the last answer.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    first_headers: Mapping[str, str]

    def chunks(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Transport(Protocol):
    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """Follow redirects; raises TransportError. Authorization is sent to its origin only."""

    def close(self) -> None: ...


def have_httpx() -> bool:
    return importlib.util.find_spec("httpx") is not None


class HttpxResponse:
    def __init__(self, httpx: Any, response: Any) -> None:
        self._httpx = httpx
        self._response = response
        self.url = str(response.url)
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = lower_names(response.headers)
        first = response.history[0] if response.history else response
        self.first_headers: Mapping[str, str] = lower_names(first.headers)

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_raw()
        except self._httpx.TransportError as error:
            raise TransportError(describe_os_error(error).words) from error

    def close(self) -> None:
        self._response.close()


class ProxyRoutes:
    """A transport for httpx that takes each request through its proxy, or directly."""

    def __init__(self, proxies: Proxies, make: Callable[[str | None], Any]) -> None:
        self._proxies = proxies
        self._ways = {way: make(way) for way in {None, *proxies.by_scheme.values()}}

    def handle_request(self, request: Any) -> Any:
        return self._ways[self._proxies.proxy_for(str(request.url))].handle_request(request)

    def close(self) -> None:
        for way in self._ways.values():
            way.close()


class HttpxTransport:
    """One connection pool for all threads. Without `proxy`, the environment's are used."""

    def __init__(
        self,
        connections: int,
        proxy: str | None = None,
        *,
        near: bool = False,
        authority: str | None = None,
    ) -> None:
        """`near` is for hosts of the LAN: no proxy, and no long wait for a sleeping host.

        `authority`: certificates (PEM) to trust in addition to the public ones.
        """
        _without_its_command_line()
        import httpx

        _read_large_chunks()
        self._httpx: Any = httpx
        # for both origins: with less, each request would close a connection to the other one
        most = ORIGINS * connections
        limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
        context = httpx.create_ssl_context(trust_env=not near)
        if authority:
            trust(context, authority)

        def way(through: str | None) -> Any:
            return self._httpx.HTTPTransport(verify=context, limits=limits, proxy=through)

        proxies = Proxies({"all": proxy} if proxy else {}, ())
        if not near and not proxy:
            proxies = environment_proxies()
        self._client: Any = self._httpx.Client(
            timeout=httpx.Timeout(
                SILENCE_TIMEOUT_S, connect=CONNECT_NEAR_S if near else CONNECT_TIMEOUT_S, pool=None
            ),
            headers={"User-Agent": USER_AGENT},
            follow_redirects=True,
            trust_env=False,  # the environment was read above
            transport=ProxyRoutes(proxies, way),
        )

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        request = self._client.build_request("GET", url, headers=dict(headers))
        try:
            return HttpxResponse(self._httpx, self._client.send(request, stream=True))
        except self._httpx.TooManyRedirects as error:
            raise TransportError(describe_os_error(error).words, lasting=True) from error
        except self._httpx.TransportError as error:
            raise transport_error(error, str(error.request.url.host)) from error
        except (self._httpx.InvalidURL, UnicodeError) as error:
            said = f"the address is invalid ({describe_os_error(error).words})"
            raise TransportError(said, lasting=True) from error

    def close(self) -> None:
        self._client.close()


def _without_its_command_line() -> None:
    """Import httpx without its command line, which imports rich and pygments if they are installed
    and takes more than half of the import time. With None, Python raises the ImportError that httpx
    expects if they are not installed.
    """
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def _read_large_chunks() -> None:
    """Each chunk costs a dozen calls under the interpreter lock, which all threads share. httpcore
    has no option for its 64 KiB, so this sets its constant; a version without the constant is only
    slower.
    """
    import httpcore

    if hasattr(httpcore.HTTP11Connection, "READ_NUM_BYTES"):
        httpcore.HTTP11Connection.READ_NUM_BYTES = CHUNK_BYTES


def read_all(reply: Response) -> bytes:
    """The whole body of a short answer."""
    body = bytearray()
    for chunk in reply.chunks():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise TransportError(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
    return bytes(body)


def lower_names(headers: Any) -> dict[str, str]:
    """Headers by name in lower case; a repeated header becomes one list (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = str(name).lower()
        found[key] = f"{found[key]}, {value}" if key in found else str(value)
    return found


def transport_error(error: object, host: str) -> TransportError:
    """The cause of a failed connection to `host`; an untrusted certificate is lasting."""
    for candidate in chain(error):
        if isinstance(candidate, ssl.SSLCertVerificationError):
            return TransportError(describe_certificate(candidate, host), lasting=True)
    return TransportError(describe_os_error(error).words)


class UrllibResponse:
    def __init__(self, response: Any) -> None:
        self._response = response
        self.url = str(response.geturl())
        self.status: int = response.getcode()
        self.headers: Mapping[str, str] = lower_names(response.headers)
        self.first_headers: Mapping[str, str] = self.headers

    def chunks(self) -> Iterator[bytes]:
        try:
            while True:
                chunk: bytes = self._response.read(65536)
                if not chunk:
                    return
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(describe_os_error(error).words) from error

    def close(self) -> None:
        self._response.close()


class UrllibRoutes(urllib.request.ProxyHandler):
    """urllib's proxies, with the exceptions as proxies.py reads them."""

    def __init__(self, proxies: Proxies) -> None:
        ways = dict(proxies.by_scheme)
        everything = ways.pop("all", None)
        more = {"http": everything, "https": everything} if everything else {}
        super().__init__({**more, **ways})
        self._routes = proxies

    def proxy_open(self, req: Any, proxy: str, type: str) -> Any:  # noqa: A002 - urllib's name
        if self._routes.proxy_for(req.full_url) is None:
            return None
        return super().proxy_open(req, proxy, type)


class UrllibTransport:
    def __init__(
        self, proxy: str | None = None, *, near: bool = False, authority: str | None = None
    ) -> None:
        context = ssl.create_default_context()
        if authority:
            trust(context, authority)
        proxies = Proxies({"all": proxy} if proxy else {}, ())
        if not near and not proxy:
            proxies = environment_proxies()
        secure = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(UrllibRoutes(proxies), secure)

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        try:
            request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
            for name, value in headers.items():
                if name == "Authorization":  # urllib would send it to another origin too
                    request.add_unredirected_header(name, value)
                else:
                    request.add_header(name, value)
            return UrllibResponse(self._opener.open(request, timeout=SILENCE_TIMEOUT_S))
        except urllib.error.HTTPError as error:
            return UrllibResponse(error)
        except urllib.error.URLError as error:
            raise transport_error(error.reason, urlsplit(url).hostname or url) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise TransportError(describe_os_error(error).words) from error

    def close(self) -> None:
        """urllib keeps no connection open."""

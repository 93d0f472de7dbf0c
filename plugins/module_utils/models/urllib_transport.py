# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the small questions go where httpx is not installed yet: check mode on a new host."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.authority import trust
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    Proxies,
    environment_proxies,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    SILENCE_TIMEOUT_S,
    USER_AGENT,
    Response,
    TransportError,
    lower_names,
    transport_error,
)
from ansible_collections.closet.inference.plugins.module_utils.network_errors import (
    describe_os_error,
)


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
    """urllib's own, with our reading of the exceptions."""

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
                if name == "Authorization":  # urllib would carry it on to another origin
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
        """Nothing is kept open."""

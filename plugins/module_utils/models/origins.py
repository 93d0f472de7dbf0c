# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an address is: the hub's own, or another's to which it leads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

API = "/api/models/"


def origin(url: str) -> tuple[str, str]:
    """Scheme, and host with port where it is not the scheme's own."""
    parts = urlsplit(url)
    host = (parts.netloc.rpartition("@")[2]).lower()
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme, host[: -len(default)] if default and host.endswith(default) else host


def is_of_the_hub(endpoint: str, url: str, headers: Mapping[str, str]) -> bool:
    """Whether an answer is the endpoint's own, or of a hub that it redirects all questions to.

    Only a hub sends X-Error-Code. An endpoint that leads from http to https stays itself.
    """
    ours, theirs = urlsplit(endpoint), urlsplit(url)
    upgraded = (ours.scheme, theirs.scheme) == ("http", "https")
    same_host = ours.hostname == theirs.hostname
    return (
        origin(url) == origin(endpoint)
        or (upgraded and same_host and theirs.port in {None, 443})
        or "x-error-code" in headers
    )


def api_question(url: str, link: str) -> str:
    """Path and query of a link in the answer to `url`, from the API's own path on.

    What stands before it is another's: a cache passes on the original's address, and a server
    below a prefix may know its prefix or not.
    """
    target = urlsplit(urljoin(url, link))
    _before, api, question = target.path.rpartition(API)
    if not api:
        raise ValueError(f"{link!r} does not lead to {API}…")
    return f"{API}{question}{'?' if target.query else ''}{target.query}"

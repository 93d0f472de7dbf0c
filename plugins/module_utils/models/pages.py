# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of the next page of a list, from the Link header (RFC 8288). Pure.

httpx's `Response.links` splits at every comma, also inside quotes, and ignores invalid parts. A
list of files must not end early, so this parser follows Appendix B of the RFC and refuses the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

TARGET = re.compile(r"<([^<>]*)>")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
BARE = re.compile(r"[^;,\"]*")
ESCAPED = re.compile(r"\\(.)")
SPACE = " \t"


class LinkError(ValueError):
    """A Link header that cannot be parsed."""


def next_target(header: str) -> str | None:
    """The target of the link with the relation `next`, as written; None without one.

    A link with an `anchor` is about another document, and is ignored.
    """
    for target, params in _read(header):
        relations = params.get("rel", "").lower().split()
        if "next" in relations and "anchor" not in params:
            return target
    return None


def _read(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Parse all links before the first is used: an invalid one may hide the next page."""
    links, at = [], _skip(header, 0, SPACE + ",")
    while at < len(header):
        match = TARGET.match(header, at)
        if match is None:
            raise LinkError(f"'<' and '>' around an address are missing at character {at + 1}")
        params, at = _read_params(header, match.end())
        links.append((match[1].strip(), params))
        at = _skip(header, at, SPACE + ",")
    yield from links


def _read_params(header: str, at: int) -> tuple[dict[str, str], int]:
    """Names in lower case; if a name occurs twice, the first value counts (section 3.3)."""
    params: dict[str, str] = {}
    while True:
        at = _skip(header, at, SPACE)
        if at == len(header) or header[at] == ",":
            return params, at
        if header[at] != ";":
            raise LinkError(f"';' or ',' is missing at character {at + 1}")
        at = _skip(header, at, SPACE + ";")
        name = NAME.match(header, at)
        if name is None:
            continue
        value, at = _read_value(header, _skip(header, name.end(), SPACE))
        params.setdefault(name[0].lower(), value)


def _read_value(header: str, at: int) -> tuple[str, int]:
    if not header.startswith("=", at):
        return "", at
    at = _skip(header, at + 1, SPACE)
    if header.startswith('"', at):
        quoted = QUOTED.match(header, at)
        if quoted is None:
            raise LinkError(f"the quotation mark at character {at + 1} is never closed")
        return ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    bare = BARE.match(header, at)
    return (bare[0].strip(), bare.end()) if bare else ("", at)


def _skip(header: str, at: int, what: str) -> int:
    while at < len(header) and header[at] in what:
        at += 1
    return at


API = "/api/models/"


def api_question(url: str, link: str) -> str:
    """Path and query of a link in the answer to `url`, from the API's path on.

    The part before it is unreliable: a cache passes on the original's address, and a server below
    a prefix may or may not include that prefix.
    """
    target = urlsplit(urljoin(url, link))
    _before, api, question = target.path.rpartition(API)
    if not api:
        raise ValueError(f"{link!r} does not lead to {API}…")
    return f"{API}{question}{'?' if target.query else ''}{target.query}"

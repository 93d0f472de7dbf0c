# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hub's answers mean: files, parts of them, pages, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.addresses import origin
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    SHA256,
    FileEntry,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubTroubleError,
    read_wait,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    Response,
    TransportError,
)


@dataclass(frozen=True)
class Refused:
    """The question that was refused. `path` is None when it was not about one file."""

    endpoint: str
    with_token: bool
    repo: str
    revision: str
    path: str | None
    public: bool = False  # a look without the token found it

    def sentence(self, status: int, code: str) -> str:
        """`code` is the X-Error-Code header, which the hub sends and mirrors may not."""
        if code == "GatedRepo" or (status == 403 and code != "DisabledRepo"):
            return self._gated()
        if code == "RevisionNotFound":
            return f"{self.repo} has no revision {self.revision!r} at {self.endpoint}."
        if code == "EntryNotFound" or (status == 404 and self.path):
            return (
                f"{self.repo}@{self.revision} lists {self.path} and {self.endpoint} does not "
                "have it."
            )
        if status == 401 and self.public:
            return (
                f"{self.repo} is public, and {self.endpoint} refuses it because of the token alone "
                "(401): a wrong or expired token blocks public repositories too. Take the token "
                "out, or renew it."
            )
        if status == 401 and self.with_token:
            return (
                f"{self.endpoint} refused the token for {self.repo} (401): it is wrong or "
                "expired, or the repository is not there for it. Without the token it is not to "
                "be had either."
            )
        if code == "RepoNotFound" or status == 401:
            hint = "" if self.with_token else " A private repository needs a token."
            return f"{self.repo} is not a repository at {self.endpoint}.{hint}"
        if status == 404:
            return f"{self.endpoint} knows no {self.repo} with a revision {self.revision!r}."
        what = self.path or f"{self.repo}@{self.revision}"
        return f"{self.endpoint} refused {what} with status {status} {code}".rstrip() + "."

    def _gated(self) -> str:
        if self.with_token:
            return (
                f"the token may not read {self.repo} at {self.endpoint}: its owner has to accept "
                f"the terms at {self.endpoint}/{self.repo} first."
            )
        return (
            f"{self.repo} is gated: accept its terms at {self.endpoint}/{self.repo} and set "
            "token to that account's access token."
        )


CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Body:
    """Bytes of a file, from `start` to `end` (exclusive) as far as the hub promised."""

    def __init__(self, reply: Response, start: int, end: int) -> None:
        self._reply = reply
        self.start = start
        self.end = end

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._reply.chunks()
        except TransportError as error:
            raise HubTroubleError(f"the connection was cut: {error}.") from error

    def close(self) -> None:
        self._reply.close()


def is_file(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "file"


def named_content(reply: Response, entry: FileEntry) -> str | None:
    """The sha256 by which the hub names a big file where it redirects to it.

    Only that header is the hub's own word. An ETag is whatever a server, cache or mirror makes it,
    also 40 or 64 hexadecimal digits that are no hash of the content: the bytes themselves decide.
    """
    named = reply.first_headers.get("x-linked-etag", "").strip().removeprefix("W/").strip('"')
    return named if entry.algorithm == SHA256 and SHA256_HEX.fullmatch(named) else None


def fits(reply: Response, sent: re.Match[str], start: int) -> bool:
    """Whether a Content-Range begins where it should, and agrees with the length of the body."""
    first, last = int(sent[1]), int(sent[2])
    length = reply.headers.get("content-length")
    return first == start and last >= start and length in {None, str(last - first + 1)}


BUSY = frozenset({408, 425, 429})


SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def refused_elsewhere(endpoint: str, reply: Response, what: str) -> HubTroubleError:
    """An address that the hub signed for another origin may expire: the next try has a new one.

    It says nothing of the model's terms, so it must not be read as the hub's own refusal.
    """
    place = "://".join(origin(reply.url))
    sentence = f"{place}, to which {endpoint} redirects, answered {reply.status} for {what}."
    if reply.status not in BUSY and reply.status < 500:
        sentence += " Is this host's clock right, and does a firewall or proxy let it pass?"
    return HubTroubleError(sentence, read_wait(reply.headers), waits_for=place)


def busy(endpoint: str, with_token: bool, reply: Response, what: str) -> HubTroubleError:
    sentence = f"{endpoint} answered {reply.status} for {what}."
    waits_for = endpoint
    if reply.status == 429:
        sentence = f"{endpoint} allows no more requests for now (429 for {what})."
        waits_for = f"the rate limit of {endpoint}"
        if not with_token:
            sentence += " It allows more to an account: set models_token to an access token."
            waits_for += " (models_token would raise it)"
    return HubTroubleError(sentence, read_wait(reply.headers), waits_for=waits_for)

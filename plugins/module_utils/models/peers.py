# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers: other hosts of the LAN that have a model, as sources instead of the internet.

A peer is any web server with ranges whose root is a store: owner/name/<file>, with the manifest
beside the files. It provides only bytes. The hashes to verify them come from the hub, and bytes
that a peer lacks or has wrong come from the hub as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

from ansible_collections.closet.inference.plugins.module_utils.models.hub import (
    CONTENT_RANGE,
    Body,
    fits,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    FileEntry,
    Manifest,
    parse_manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    MANIFEST_NAME,
    ModelError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.retry import HubTroubleError
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    Response,
    Transport,
    TransportError,
    read_all,
)

MOST_TROUBLES = 3


class Peer:
    """One host. It is no longer used after a few failures."""

    def __init__(self, address: str, transport: Callable[[], Transport]) -> None:
        self.address = address.rstrip("/")
        self._transport = transport
        self._records: dict[str, Manifest | None] = {}
        self._troubles = 0
        self._lock = threading.Lock()

    def record(self, repo: str) -> Manifest | None:
        """Its manifest of a repository, requested once."""
        with self._lock:
            if repo not in self._records:
                self._records[repo] = self._ask(repo)
            return self._records[repo]

    def has(self, repo: str, entry: FileEntry) -> bool:
        record = self.record(repo) if self._troubles < MOST_TROUBLES else None
        return record is not None and entry in record.files

    def open(self, repo: str, entry: FileEntry, start: int, end: int) -> Body:
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
        try:
            reply = self._transport().get(self._url(repo, entry.path), headers)
        except TransportError as error:
            raise HubTroubleError(f"{self.address} was not reached: {error}.") from error
        if not _is_part(reply, start, entry.size):
            reply.close()
            raise HubTroubleError(
                f"{self.address} did not send the requested bytes of {entry.path}."
            )
        return Body(reply, start, end)

    def blame(self) -> None:
        with self._lock:
            self._troubles += 1

    def _ask(self, repo: str) -> Manifest | None:
        try:
            reply = self._transport().get(self._url(repo, MANIFEST_NAME), {})
            try:
                found = parse_manifest(read_all(reply)) if reply.status == 200 else None
            finally:
                reply.close()
        except (TransportError, ModelError):
            self._troubles = MOST_TROUBLES
            return None
        return found if found and found.repo == repo else None

    def _url(self, repo: str, path: str) -> str:
        return f"{self.address}/{repo}/{quote(path, safe='/')}"


class Peers:
    """All peers of a run, in the given order; safe for several threads."""

    def __init__(
        self, addresses: Sequence[str] = (), transport: Callable[[], Transport] | None = None
    ) -> None:
        for address in addresses:
            check_address(address)
        self._all = tuple(Peer(one, transport) for one in addresses if transport)
        self._lent = 0
        self._lock = threading.Lock()

    @property
    def lent(self) -> int:
        """Bytes that came from peers."""
        return self._lent

    def holder(self, repo: str, entry: FileEntry) -> Peer | None:
        return next((peer for peer in self._all if peer.has(repo, entry)), None)

    def record(self, repo: str, revision: str) -> Manifest | None:
        """A peer's manifest of a commit, or of a branch as it was at the peer's pull."""
        for peer in self._all:
            found = peer.record(repo)
            if found and revision in (found.revision, found.requested):
                return found
        return None

    def count(self, size: int) -> None:
        with self._lock:
            self._lent += size


def check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ModelError(
            "a peer must be the http:// or https:// address of another host's share, without a "
            "user."
        )


def _is_part(reply: Response, start: int, size: int) -> bool:
    sent = CONTENT_RANGE.fullmatch(reply.headers.get("content-range", "").strip())
    if reply.status != 206 or sent is None or sent[3] != str(size):
        return False
    return fits(reply, sent, start)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes of one file come from: another host of the LAN, or the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.hub_answers import Body
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import FileEntry
from ansible_collections.closet.inference.plugins.module_utils.models.patience import (
    HubTroubleError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peer, Peers


@dataclass(frozen=True)
class FileJob:
    """One file to fetch. `claimed`: bytes that its journal says are here already."""

    model: str
    repo: str
    revision: str
    entry: FileEntry
    final: Path
    claimed: int = 0


class Sources:
    """Where the bytes of one file come from: a peer that has it, else the hub."""

    def __init__(self, hub: Hub, peers: Peers, job: FileJob) -> None:
        self.hub = hub
        self._peers = peers
        self._job = job
        self._hub_only = False

    def open(self, start: int, end: int) -> tuple[Body, Peer | None]:
        job = self._job
        while not self._hub_only:
            peer = self._peers.holder(job.repo, job.entry)
            if peer is None:
                break
            try:
                return peer.open(job.repo, job.entry, start, end), peer
            except HubTroubleError:
                peer.blame()
        return self.hub.open(job.repo, job.revision, job.entry, start, end), None

    def count(self, peer: Peer | None, size: int) -> None:
        if peer is not None:
            self._peers.count(size)

    def distrust(self) -> None:
        """The content was wrong: nobody but the hub itself is believed now."""
        self._hub_only = True

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file during its download: the bytes in `<final>.part`, the journal, and the running hash.

write() puts bytes on the disk and records them as a piece. open() takes over the pieces of an
earlier run, after comparing them with the bytes. verify() compares the whole file with its hash.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.files import sync_to_disk
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    journal_path,
    part_path,
    step,
)
from ansible_collections.closet.inference.plugins.module_utils.models.journal import (
    Piece,
    Span,
    gaps,
    header_line,
    merge,
    piece_line,
    proof_alone,
    proof_with_all_before,
    verified_line,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import FileEntry
from ansible_collections.closet.inference.plugins.module_utils.models.store import read_journal
from ansible_collections.closet.inference.plugins.module_utils.models.threads import StoppedError

READ_BACK_BYTES = 256 << 10  # fits the processor's cache between reading and hashing
WRITING = "writing a download"
HASH_AHEAD = 2  # bytes hashed per byte written, so that a backlog shrinks during the download


class SupersededError(StoppedError):
    """Another thread started the file over; these bytes are obsolete."""


class Part:
    """Safe for several threads that write different spans of one file.

    `generation` counts how often the file was started over; each write names its generation.
    """

    def __init__(self, final: Path, entry: FileEntry) -> None:
        self.entry = entry
        self.final = final
        self._path = part_path(final)
        self.generation = 0
        self._have: tuple[Span, ...] = ()
        self._lock = threading.Lock()
        self._writers = 0
        self._no_writers = threading.Condition(self._lock)
        self._hash_lock = threading.Lock()
        self._hasher: Any = entry.hasher()
        self._hashed = 0
        self._sync_lock = threading.Lock()
        self._unsynced = 0
        self._part = -1
        self._journal = -1

    def open(self) -> None:
        """Create the part, or continue the one of an earlier run after checking its bytes."""
        with step("creating a folder of a model", self.final.parent):
            self.final.parent.mkdir(parents=True, exist_ok=True)
        journal = read_journal(self.final, self.entry)
        usable = journal is not None and not journal.verified
        flags = os.O_RDWR | os.O_CREAT | (0 if usable else os.O_TRUNC)
        with step("starting a download", self._path):
            self._part = os.open(self._path, flags, 0o644)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if usable else os.O_TRUNC)
        path = journal_path(self.final)
        with step("starting the journal of a download", path):
            self._journal = os.open(path, flags, 0o644)
            if journal is None or not usable:
                os.write(self._journal, header_line(self.entry))
                return
        for piece in sorted(journal.pieces, key=lambda piece: piece.offset):
            if self._proves(piece):
                self._have = merge([*self._have, Span(piece.offset, piece.end)])

    def _proves(self, piece: Piece) -> bool:
        """Whether the bytes of an earlier run match its journal; if so, the hash includes them."""
        data = os.pread(self._part, piece.length, piece.offset)
        if len(data) < piece.length:
            return False
        # only from `_hashed` on: an earlier run may have cut the same bytes into other pieces
        hasher = self._hasher.copy()
        next_to_hash = piece.offset <= self._hashed < piece.end
        if next_to_hash:
            hasher.update(memoryview(data)[self._hashed - piece.offset :])
        if isinstance(piece.proof, int):
            good = proof_alone(data) == piece.proof
        else:
            good = next_to_hash and proof_with_all_before(hasher) == piece.proof
        if good and next_to_hash:
            self._hasher, self._hashed = hasher, piece.end
        return good

    @property
    def arrived(self) -> int:
        with self._lock:
            return sum(span.size for span in self._have)

    def missing(self) -> tuple[Span, ...]:
        with self._lock:
            return gaps(self.entry.size, self._have)

    def write(self, generation: int, offset: int, data: memoryview) -> None:
        with self._writer(generation), step(WRITING, self._path):
            _write_at(self._part, data, offset)
            proof = self._hash_if_next(generation, offset, data)
            piece = Piece(offset, len(data), proof_alone(data) if proof is None else proof)
            os.write(self._journal, piece_line(piece))
            with self._lock:
                self._have = merge([*self._have, Span(offset, piece.end)])
                self._unsynced += len(data)
        self._hash_pieces_ahead(generation, HASH_AHEAD * len(data))

    @contextmanager
    def _writer(self, generation: int) -> Iterator[None]:
        """Several threads write at once; start_over() and close() wait until none does."""
        with self._lock:
            if generation != self.generation:
                raise SupersededError
            self._writers += 1
        try:
            yield
        finally:
            with self._lock:
                self._writers -= 1
                if not self._writers:
                    self._no_writers.notify_all()

    def sync(self) -> None:
        """Bring the written bytes to the disk, for a power cut. May run while others write."""
        with self._sync_lock, step("syncing a download to the disk", self._path):
            with self._lock:
                unsynced, self._unsynced = self._unsynced, 0
            if unsynced and self._part >= 0:
                sync_to_disk(self._part)
                sync_to_disk(self._journal)

    def start_over(self, generation: int) -> int:
        """Forget every byte; returns the new generation."""
        with self._hash_lock, self._lock, step(WRITING, self._path):
            if generation != self.generation:
                raise SupersededError
            self.generation += 1  # first, so that no further old byte is written
            self._no_writers.wait_for(lambda: not self._writers)
            os.ftruncate(self._part, 0)
            os.ftruncate(self._journal, 0)
            os.write(self._journal, header_line(self.entry))
            self._have = ()
            self._hasher = self.entry.hasher()
            self._hashed = 0
            return self.generation

    def verify(self) -> bool:
        """Whether the file has its hash. If so, the journal records it; both are synced."""
        with self._hash_lock, step("verifying a download", self._path):
            self._hash_some(self.entry.size)
            if self._hashed != self.entry.size or self._hasher.hexdigest() != self.entry.digest:
                return False
            os.ftruncate(self._part, self.entry.size)  # remove bytes after the hashed ones
            sync_to_disk(self._part)
            os.write(self._journal, verified_line())
            sync_to_disk(self._journal)
            return True

    def close(self) -> None:
        with self._hash_lock, self._sync_lock, self._lock:
            self._no_writers.wait_for(lambda: not self._writers)
            for descriptor in (self._part, self._journal):
                if descriptor >= 0:
                    os.close(descriptor)
            self._part = self._journal = -1

    def _hash_if_next(self, generation: int, offset: int, data: memoryview) -> str | None:
        """The proof, if the hash ends before these bytes and no other thread is using it."""
        if not self._hash_lock.acquire(blocking=False):
            return None
        try:
            if generation != self.generation or offset != self._hashed:
                return None
            self._hasher.update(data)
            self._hashed += len(data)
            return proof_with_all_before(self._hasher)
        finally:
            self._hash_lock.release()

    def _hash_pieces_ahead(self, generation: int, budget: int) -> None:
        if self._hash_lock.acquire(blocking=False):
            try:
                if generation == self.generation:
                    self._hash_some(budget)
            finally:
                self._hash_lock.release()

    def _hash_some(self, budget: int) -> None:
        """Continue the hash over at most `budget` bytes, up to the first gap."""
        with self._lock:
            first = self._have[0] if self._have else Span(0, 0)
        reach = first.end if first.start == 0 else 0
        stop = min(reach, self._hashed + budget)
        while self._hashed < stop:
            data = os.pread(self._part, min(READ_BACK_BYTES, stop - self._hashed), self._hashed)
            if not data:
                return
            self._hasher.update(data)
            self._hashed += len(data)


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data = data[written:]
        offset += written

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bytes of a file are on the disk: byte spans, and the journal that proves them.

The journal is a text file beside `<final>.part`, one JSON value per line, append-only: first the
identity of the complete file, then `[offset, length, proof]` for each piece written, last
`"verified"`. A line without its data, data without its line, or a torn line does no harm, because
every piece is compared with its proof before it counts. The order of writes to the disk therefore
does not matter.

The proof of a piece in sequence is the beginning of the file's hash up to its end, a string. The
proof of a piece ahead of its turn is its own crc32, a number.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.models.manifest import FileEntry

VERSION = 1
PIECE_BYTES = 512 << 10
LARGEST_PIECE = 1 << 20
LARGEST_SEGMENT = 32 << 20  # segments run in parallel, and the hash waits for the first one
SMALLEST_SEGMENT = 16 << 20
VERIFIED = "verified"
PROOF_DIGITS = 16


@dataclass(frozen=True, order=True)
class Span:
    """Bytes [start, end) of a file."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Piece:
    """Bytes of one write; `proof` is their crc32, or the file's hash up to their end."""

    offset: int
    length: int
    proof: int | str

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True)
class Journal:
    """The claims of a journal. The pieces have not been compared with the part yet."""

    pieces: tuple[Piece, ...]
    verified: bool

    @property
    def claimed(self) -> int:
        return sum(span.size for span in merge(_spans(self.pieces)))


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Sorted, without overlap, adjacent spans joined."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        elif span.size > 0:
            merged.append(span)
    return tuple(merged)


def gaps(size: int, have: Iterable[Span]) -> tuple[Span, ...]:
    """The spans of [0, size) that are not in `have`."""
    missing: list[Span] = []
    position = 0
    for span in merge(have):
        if span.start > position:
            missing.append(Span(position, min(span.start, size)))
        position = max(position, span.end)
    if position < size:
        missing.append(Span(position, size))
    return tuple(missing)


def split(missing: Sequence[Span], connections: int) -> tuple[Span, ...]:
    """The missing spans as segments, one request each, enough for all connections."""
    total = sum(span.size for span in missing)
    share = -(-total // max(1, connections))
    length = max(SMALLEST_SEGMENT, min(LARGEST_SEGMENT, share))
    return tuple(segment for span in missing for segment in _cut(span, length))


def _cut(span: Span, length: int) -> Iterator[Span]:
    count = max(1, round(span.size / length))
    edges = [span.start + span.size * index // count for index in range(count + 1)]
    for start, end in zip(edges, edges[1:]):
        yield Span(start, end)


def header_line(entry: FileEntry) -> bytes:
    return _line(_identity(entry))


def piece_line(piece: Piece) -> bytes:
    return _line([piece.offset, piece.length, piece.proof])


def proof_alone(data: bytes | memoryview) -> int:
    return zlib.crc32(data)


def proof_with_all_before(hasher: Any) -> str:
    """`hasher` must have every byte up to the end of the piece."""
    return str(hasher.hexdigest()[:PROOF_DIGITS])


def verified_line() -> bytes:
    return _line(VERIFIED)


def parse_journal(text: bytes, entry: FileEntry) -> Journal | None:
    """The journal, or None if it is invalid or for another content."""
    # a lost page of the disk leaves zeros after the text before it
    lines = text.replace(b"\0", b"\n").split(b"\n")
    header = _value(lines[0])
    if not isinstance(header, dict):
        return None
    if any(header.get(key) != value for key, value in _identity(entry).items()):
        return None
    pieces: list[Piece] = []
    verified = False
    for line in lines[1:]:
        value = _value(line)
        piece = _piece(value, entry.size)
        if piece:
            pieces.append(piece)
        verified = verified or value == VERIFIED
    return Journal(tuple(pieces), verified)


def _identity(entry: FileEntry) -> dict[str, Any]:
    return {"closet": VERSION, "size": entry.size, entry.algorithm: entry.digest}


def _line(value: Any) -> bytes:
    # a newline comes first too, so that the line after a torn one is intact
    return b"\n" * (not isinstance(value, dict)) + json.dumps(value).encode() + b"\n"


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _piece(value: Any, size: int) -> Piece | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    offset, length, proof = value
    if not isinstance(offset, int) or not isinstance(length, int):
        return None
    if not isinstance(proof, (int, str)):
        return None
    piece = Piece(offset, length, proof)
    inside = offset >= 0 and 0 < length <= LARGEST_PIECE
    return piece if inside and piece.end <= size else None


def _spans(pieces: Iterable[Piece]) -> Iterator[Span]:
    return (Span(piece.offset, piece.end) for piece in pieces)

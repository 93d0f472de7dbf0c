# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans, segments and the journal that proves them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.models.journal import (
    Journal,
    Piece,
    Span,
    gaps,
    header_line,
    merge,
    parse_journal,
    piece_line,
    split,
    verified_line,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    SHA256,
    FileEntry,
)

SHARD = FileEntry("model.safetensors", 3000, SHA256, "1" * 64)
LIGHT = settings(max_examples=60)

SPANS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 30)).map(lambda t: Span(t[0], t[0] + t[1])),
    max_size=8,
)


@LIGHT
@given(spans=SPANS, size=st.integers(0, 130))
def test_gaps_are_exactly_what_is_missing(spans: list[Span], size: int) -> None:
    have = {byte for span in spans for byte in range(span.start, span.end)}
    found = [byte for gap in gaps(size, spans) for byte in range(gap.start, gap.end)]
    assert found == [byte for byte in range(size) if byte not in have]
    assert {b for s in merge(spans) for b in range(s.start, s.end)} == have


@LIGHT
@given(spans=SPANS, connections=st.integers(1, 9), scale=st.sampled_from([1, 1 << 20, 1 << 26]))
def test_segments_are_the_gaps_cut_up(spans: list[Span], connections: int, scale: int) -> None:
    missing = [Span(span.start * scale, span.end * scale) for span in merge(spans)]
    segments = split(missing, connections)
    assert merge(segments) == merge(missing)
    assert sum(segment.size for segment in segments) == sum(span.size for span in missing)
    assert all(0 < segment.size <= 400 << 20 for segment in segments)


def test_a_big_file_keeps_every_connection_busy_and_comes_in_order() -> None:
    """Segments are small beside a shard, so that its hash follows what has arrived."""
    assert len(split([Span(0, 1 << 30)], 4)) == 32
    assert len(split([Span(0, 5 << 30)], 4)) == 160
    assert len(split([Span(0, 1 << 20)], 4)) == 1


def test_a_journal_reads_back_over_torn_lines() -> None:
    first, last = Piece(0, 3, "0123456789abcdef"), Piece(20, 3, 7)
    torn = piece_line(Piece(10, 3, 5))[:-4]
    whole = piece_line(first)[:-1] + b"\0\0 7, 8]\n"  # a page after it was lost
    text = header_line(SHARD) + whole + torn + piece_line(last)
    journal = parse_journal(text, SHARD)
    assert journal == Journal((first, last), False)
    assert journal.claimed == 6
    assert parse_journal(text + verified_line(), SHARD) == replace(journal, verified=True)
    assert parse_journal(text, replace(SHARD, digest="3" * 64)) is None
    assert parse_journal(b"", SHARD) is None


@pytest.mark.parametrize(
    "line",
    ["[0, 0, 1]", "[-1, 5, 1]", "[2999, 2, 1]", "[0, 5]", '["0", 5, 1]', "[0, 5, null]", "7"],
)
def test_pieces_that_cannot_be(line: str) -> None:
    text = header_line(SHARD) + line.encode() + b"\n"
    assert parse_journal(text, SHARD) == Journal((), False)


def test_claims_do_not_count_twice() -> None:
    assert Journal((Piece(0, 10, 1), Piece(5, 10, 1)), False).claimed == 15

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress in words, on a terminal and in a log, from several hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.progress import (
    Progress,
    describe_record,
    in_time,
    in_units,
    parse_record,
    percent,
    read_record,
)
from ansible_collections.closet.inference.plugins.plugin_utils.pull_progress import (
    CLEAR,
    LINE_EVERY_S,
    ProgressLine,
    shorten,
)

RECORD: dict[str, Any] = {
    "version": 1,
    "state": "pulling",
    "pid": 77,
    "bytes": 50_000_000_000,
    "done": 18_600_000_000,
    "rate_bytes_per_s": 11_800_000,
    "left_s": 2661,
    "models": [
        {"name": "embed", "bytes": 8_000_000_000, "done": 8_000_000_000},
        {"name": "coder", "bytes": 42_000_000_000, "done": 10_600_000_000},
    ],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "coder (2 of 2): 37 %, 18.6 GB of 50.0 GB, 11.8 MB/s, 44 min left"),
        ({"rate_bytes_per_s": 0}, "coder (2 of 2): 37 %, 18.6 GB of 50.0 GB"),
        (
            {"waits": {"for": "the rate limit of http://hub", "left_s": 187}},
            "coder (2 of 2): 37 %, 18.6 GB of 50.0 GB, "
            "waits for the rate limit of http://hub, 3 min left",
        ),
        (
            {"models": [], "bytes": 0, "waits": {"for": "http://hub", "left_s": 20}},
            "waits for http://hub, 20 s left",
        ),
        ({"models": []}, "37 %, 18.6 GB of 50.0 GB, 11.8 MB/s, 44 min left"),
        (
            {"models": RECORD["models"][1:], "left_s": None},
            "coder: 37 %, 18.6 GB of 50.0 GB, 11.8 MB/s",
        ),
    ],
)
def test_a_record_in_words(change: dict[str, Any], words: str) -> None:
    assert describe_record(parse_record(json.dumps({**RECORD, **change}))) == words


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1}'])
def test_what_is_no_record(text: str) -> None:
    assert parse_record(text) is None
    assert describe_record(None) == ""


@pytest.mark.parametrize(
    ("done", "size", "shown"),
    [(0, 10, 0), (999, 1000, 99), (1000, 1000, 100), (0, 0, 100), (-5, 10, 0)],
)
def test_percent_is_never_too_much(done: int, size: int, shown: int) -> None:
    assert percent(done, size) == shown


def test_sizes_and_times() -> None:
    assert [in_units(n) for n in (12, 1500, 2_000_000)] == ["12 bytes", "1.5 kB", "2.0 MB"]
    assert [in_time(s) for s in (0.2, 59, 60, 3600, 5000)] == [
        "1 s",
        "59 s",
        "1 min",
        "1 h 00 min",
        "1 h 23 min",
    ]


def test_a_log_gets_a_line_every_few_seconds(tmp_path: Path) -> None:
    teller = ProgressLine("attic", False, 80, str(tmp_path))
    assert teller.shown("1 %", 100.0) == ("attic: 1 %", True)
    assert teller.shown("2 %", 101.0) is None
    assert teller.shown("1 %", 100 + LINE_EVERY_S) is None  # it stands still: nothing is new
    assert teller.shown("3 %", 101 + LINE_EVERY_S) == ("attic: 3 %", True)
    assert teller.shown("", 999.0) is None
    assert teller.close() is None
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_has_one_line_for_all_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tellers = []
    for number, host in enumerate(["attic", "loft"]):
        monkeypatch.setattr("os.getpid", lambda number=number: number)
        tellers.append(ProgressLine(host, True, 60, str(tmp_path)))
    attic, loft = tellers
    assert attic.shown("1 %", 0.0) == (f"{CLEAR}attic: 1 %", False)
    assert loft.shown("7 %", 0.0) == (f"{CLEAR}attic: 1 % | loft: 7 %", False)
    assert attic.shown("2 %", 0.1) == (f"{CLEAR}attic: 2 % | loft: 7 %", False)
    assert loft.close() == (CLEAR, False)
    assert attic.shown("3 %", 1.0) == (f"{CLEAR}attic: 3 %", False)
    attic.close()
    assert list(tmp_path.iterdir()) == []


def test_a_line_is_never_so_long_that_it_wraps() -> None:
    assert shorten("x" * 79, 80) == "x" * 79
    assert len(shorten("x" * 80, 80)) < 80


def test_the_rate_is_that_of_the_last_moments(tmp_path: Path) -> None:
    """A line that was fast and went dead says so, instead of its average."""
    now = [0.0]
    progress = Progress(tmp_path / "record", lambda: 0.0, lambda: now[0])
    progress.begin([])
    for second in range(1, 61):
        now[0] = float(second)
        progress.add("tiny", 1000 if second <= 30 else 0, 0)
    record = read_record(tmp_path / "record")
    assert record is not None
    assert record["rate_bytes_per_s"] == 0
    assert record["left_s"] is None

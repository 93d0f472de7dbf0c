"""The times in newsyslog.conf: after @ (ISO 8601) and after $ (day, week, month)."""

from __future__ import annotations

import sys
from datetime import datetime

import pytest

from tests.unit.lab.simulated_mac import LIBRARY

if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from newsyslog.when import WhenError, parse_dwm, parse_iso

MONDAY = datetime(2026, 11, 23, 10, 15)


@pytest.mark.parametrize(
    ("text", "at", "after"),
    [
        ("T00", "2026-11-23 00:00", "2026-11-24 00:00"),
        ("T0630", "2026-11-23 06:30", "2026-11-24 06:30"),
        ("01T05", "2026-11-01 05:00", "2026-12-01 05:00"),
        ("31", "2026-11-30 00:00", "2026-12-31 00:00"),
        ("1224T18", "2026-12-24 18:00", "2027-12-24 18:00"),
        ("20270101", "2027-01-01 00:00", "2027-01-01 00:00"),
        ("270101T", "2027-01-01 00:00", "2027-01-01 00:00"),
        ("", "2026-11-23 00:00", "2026-11-24 00:00"),
    ],
)
def test_iso_times(text: str, at: str, after: str) -> None:
    moment = parse_iso(text, MONDAY)
    assert f"{moment.at:%Y-%m-%d %H:%M}" == at
    assert f"{moment.following().at:%Y-%m-%d %H:%M}" == after


@pytest.mark.parametrize(
    ("text", "at", "after"),
    [
        ("D0", "2026-11-23 00:00", "2026-11-24 00:00"),
        ("D23", "2026-11-23 23:00", "2026-11-24 23:00"),
        ("W1", "2026-11-23 00:00", "2026-11-30 00:00"),
        ("W0D23", "2026-11-29 23:00", "2026-12-06 23:00"),
        ("M1D0", "2026-11-01 00:00", "2026-12-01 00:00"),
        ("ML", "2026-11-30 00:00", "2026-12-31 00:00"),
        ("M31D6", "2026-11-30 06:00", "2026-12-31 06:00"),
    ],
)
def test_day_week_and_month(text: str, at: str, after: str) -> None:
    moment = parse_dwm(text, MONDAY)
    assert f"{moment.at:%Y-%m-%d %H:%M}" == at
    assert f"{moment.following().at:%Y-%m-%d %H:%M}" == after


@pytest.mark.parametrize("text", ["W7", "D24", "M0", "M32", "W1M1", "D", "", "X", "D1D2"])
def test_bad_day_week_and_month(text: str) -> None:
    with pytest.raises(WhenError):
        parse_dwm(text, MONDAY)


@pytest.mark.parametrize("text", ["1", "123", "1301", "32", "T24", "T1", "T0060", "12345", "x"])
def test_bad_iso_times(text: str) -> None:
    with pytest.raises(WhenError):
        parse_iso(text, MONDAY)

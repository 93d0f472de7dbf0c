"""StartCalendarInterval arithmetic."""

from __future__ import annotations

from datetime import datetime

import pytest

from lab.launchd.calendar_interval import CalendarSpec, next_fire, next_wall

SUNDAY = datetime(2026, 11, 22, 10, 15, 30)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (CalendarSpec(), datetime(2026, 11, 22, 10, 16)),
        (CalendarSpec(minute=30), datetime(2026, 11, 22, 10, 30)),
        (CalendarSpec(minute=15), datetime(2026, 11, 22, 11, 15)),
        (CalendarSpec(minute=0, hour=3), datetime(2026, 11, 23, 3, 0)),
        (CalendarSpec(hour=11), datetime(2026, 11, 22, 11, 0)),
        (CalendarSpec(minute=0, hour=0, day=1), datetime(2026, 12, 1)),
        (CalendarSpec(minute=0, hour=0, day=31), datetime(2026, 12, 31)),
        (CalendarSpec(minute=0, hour=0, weekday=0), datetime(2026, 11, 29)),
        (CalendarSpec(minute=0, hour=0, weekday=7), datetime(2026, 11, 29)),
        (CalendarSpec(minute=0, hour=12, weekday=0), datetime(2026, 11, 22, 12)),
        (CalendarSpec(minute=0, hour=0, weekday=1), datetime(2026, 11, 23)),
        (CalendarSpec(minute=0, hour=0, month=2, day=29), datetime(2028, 2, 29)),
        (CalendarSpec(minute=0, hour=0, month=1), datetime(2027, 1, 1)),
        # Day and Weekday: either of them
        (CalendarSpec(minute=0, hour=0, day=30, weekday=3), datetime(2026, 11, 25)),
        (CalendarSpec(minute=0, hour=0, day=24, weekday=3), datetime(2026, 11, 24)),
        (CalendarSpec(minute=75), None),
        (CalendarSpec(month=2, day=30), None),
    ],
)
def test_next_fire(spec: CalendarSpec, expected: datetime | None) -> None:
    assert next_fire(spec, SUNDAY) == expected


def test_leap_day_is_found_over_a_skipped_leap_year() -> None:
    spec = CalendarSpec(minute=0, hour=0, month=2, day=29)
    assert next_fire(spec, datetime(2096, 3, 1)) == datetime(2104, 2, 29)


def test_a_strike_is_never_the_present_minute() -> None:
    assert next_fire(CalendarSpec(minute=30), datetime(2026, 11, 22, 10, 30)) == datetime(
        2026, 11, 22, 11, 30
    )


def test_the_earliest_of_several_wins() -> None:
    specs = [CalendarSpec(minute=50), CalendarSpec(minute=20)]
    found = next_wall(specs, SUNDAY.timestamp())
    assert found == datetime(2026, 11, 22, 10, 20).timestamp()
    assert next_wall([CalendarSpec(minute=75)], SUNDAY.timestamp()) is None

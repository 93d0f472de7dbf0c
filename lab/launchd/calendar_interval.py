"""StartCalendarInterval: when does it strike next.

Absent parts are wildcards; Weekday 0 and 7 are Sunday; Day together with Weekday means either of
them, and the Weekday branch does not look at Month (launchd-842 core.c, calendarinterval_setalarm).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

SEARCH_DAYS = 366 * 8 + 2  # far enough for 29 February over a skipped leap year


@dataclass(frozen=True)
class CalendarSpec:
    """One dictionary of StartCalendarInterval."""

    minute: int | None = None
    hour: int | None = None
    day: int | None = None
    weekday: int | None = None
    month: int | None = None

    def pairs(self) -> Iterator[tuple[str, int]]:
        """Yield the keys that are set, spelled as in the plist and in the order print shows."""
        named = (
            ("Minute", self.minute),
            ("Hour", self.hour),
            ("Day", self.day),
            ("Weekday", self.weekday),
            ("Month", self.month),
        )
        for name, value in named:
            if value is not None:
                yield name, value


def _matches_day(spec: CalendarSpec, day: date) -> bool:
    month_and_day = spec.month in (None, day.month) and spec.day in (None, day.day)
    if spec.weekday is None:
        return month_and_day
    weekday = spec.weekday % 7 == day.isoweekday() % 7
    return weekday if spec.day is None else weekday or month_and_day


def _first_time(spec: CalendarSpec, not_before: time) -> time | None:
    hours = range(24) if spec.hour is None else (spec.hour,)
    minutes = range(60) if spec.minute is None else (spec.minute,)
    for hour in hours:
        for minute in minutes:
            if hour in range(24) and minute in range(60) and time(hour, minute) >= not_before:
                return time(hour, minute)
    return None


def next_fire(spec: CalendarSpec, after: datetime) -> datetime | None:
    """Return the first matching minute after a moment of local time, or None if there is none."""
    start = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for offset in range(SEARCH_DAYS):
        day = start.date() + timedelta(days=offset)
        if not _matches_day(spec, day):
            continue
        found = _first_time(spec, start.time() if offset == 0 else time())
        if found is not None:
            return datetime.combine(day, found)
    return None


def next_wall(specs: Iterable[CalendarSpec], wall: float) -> float | None:
    """Return the earliest strike of several dictionaries as seconds since 1970."""
    after = datetime.fromtimestamp(wall)
    strikes = [strike for spec in specs if (strike := next_fire(spec, after)) is not None]
    return min(strikes).timestamp() if strikes else None

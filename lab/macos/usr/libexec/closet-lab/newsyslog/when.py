"""The `when` field after @ (restricted ISO 8601) and after $ (day, week, month)."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta


class WhenError(ValueError):
    """The text after @ or $ is not a time."""


@dataclass(frozen=True)
class Moment:
    """A time to trim at, and how it comes round: day, week, month, year or never."""

    at: datetime
    every: str
    day: int = 0

    def seconds_until(self, now: datetime) -> float:
        """Return the seconds from `now` to the time, negative when it has passed."""
        return (self.at - now).total_seconds()

    def following(self) -> Moment:
        """Return the next time after this one; a date with a year has none."""
        if self.every == "day":
            return replace(self, at=self.at + timedelta(days=1))
        if self.every == "week":
            return replace(self, at=self.at + timedelta(days=7))
        if self.every == "month":
            month = self.at.year * 12 + self.at.month  # the month after, counted from 0
            return replace(self, at=_on_day(self.at, month // 12, month % 12 + 1, self.day))
        if self.every == "year":
            return replace(self, at=_on_day(self.at, self.at.year + 1, self.at.month, self.day))
        return self

    def text(self) -> str:
        """Return the time as ctime(3) prints it, without its newline."""
        return self.at.ctime()


def parse_iso(text: str, now: datetime) -> Moment:
    """Read [[[[cc]yy]mm]dd][T[hh[mm[ss]]]]; what is missing is today, at midnight."""
    match = re.fullmatch(r"(\d{8}|\d{6}|\d{4}|\d{2}|)(?:T(\d{6}|\d{4}|\d{2}|))?", text)
    if match is None:
        raise WhenError(text)
    date, clock = match[1], match[2] or ""
    year, month, day = now.year, now.month, now.day
    if date:
        day = int(date[-2:])
    if len(date) >= 4:
        month = int(date[-4:-2])
    if len(date) >= 6:
        year = int(date[:-4]) if len(date) == 8 else year - year % 100 + int(date[:2])
    hour, minute, second = (int(clock[at : at + 2] or 0) for at in (0, 2, 4))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 60):
        raise WhenError(text)
    every = {0: "day", 2: "month", 4: "year"}.get(len(date), "never")
    start = now.replace(hour=hour, minute=minute, second=min(second, 59), microsecond=0)
    return Moment(_on_day(start, year, month, day), every, day)


def parse_dwm(text: str, now: datetime) -> Moment:
    """Read [Dhh], [Wd[Dhh]] or [Mdd[Dhh]]: every day, each week from today, each month."""
    match = re.fullmatch(r"(?:W(\d+)|M(\d+|[lL]))?(?:D(\d+))?", text)
    if match is None or not text:
        raise WhenError(text)
    week, month, hour = match[1], match[2], int(match[3] or 0)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if hour > 23 or (week and int(week) > 6):
        raise WhenError(text)
    start = start.replace(hour=hour)
    if week:
        today = (now.weekday() + 1) % 7  # newsyslog counts from Sunday
        return Moment(start + timedelta(days=(int(week) - today) % 7), "week")
    if month:
        day = 31 if month in "lL" else int(month)
        if not 1 <= day <= 31:
            raise WhenError(text)
        return Moment(_on_day(start, start.year, start.month, day), "month", day)
    return Moment(start, "day")


def _on_day(start: datetime, year: int, month: int, day: int) -> datetime:
    """Move `start` to a date; a day the month does not have becomes its last."""
    return start.replace(year=year, month=month, day=min(day, calendar.monthrange(year, month)[1]))

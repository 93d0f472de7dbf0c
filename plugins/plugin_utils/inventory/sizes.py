# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as people write them, read strictly: a number without a unit means nothing."""

from __future__ import annotations

import re
from typing import Any

UNITS = {"MB": 1e-3, "GB": 1.0, "TB": 1e3}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


class SizeError(ValueError):
    """Text that is not a size; the text of the error says what to write instead."""


def read_gb(value: Any, what: str) -> float:
    """Read '8GB', '512 MB' or '1.5TB' as 10^9 bytes; `what` names the value in the error."""
    match = SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise SizeError(f"{what} is {value!r}, which is not a size: write it as 8GB")
    number, unit = match.groups()
    if not unit and float(number) > 0:
        raise SizeError(f"{what} is {value}, without a unit: write {number}GB or {number}MB")
    if unit and unit.upper() not in UNITS:
        raise SizeError(f"{what} is {value}: its unit can be MB, GB or TB")
    return float(number) * UNITS.get(unit.upper(), 0.0)


def number(value: Any, what: str, unit: str, least: float = 0) -> float:
    """Read a bare number whose name carries the unit already."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SizeError(f"{what} is {value!r}, and a number of {unit} is needed, such as 8")
    if value < least:
        raise SizeError(f"{what} is {value}, and it must be at least {least:g} ({unit})")
    return float(value)

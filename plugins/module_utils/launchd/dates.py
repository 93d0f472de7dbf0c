# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and bytes of a property list on their way through JSON, which knows neither.

The action plugin wraps them on the controller, the module unwraps them on the host.
"""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Mapping
from typing import Any

_DATE, _BYTES = "__plist_date__", "__plist_data__"


def wrapped(value: Any) -> Any:
    """Plain JSON for a value of YAML; a time with an offset becomes UTC, as in a property list."""
    if isinstance(value, Mapping):
        return {name: wrapped(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [wrapped(inner) for inner in value]
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return {_DATE: value.isoformat(timespec="seconds")}
    if isinstance(value, datetime.date):
        return {_DATE: f"{value.isoformat()}T00:00:00"}
    if isinstance(value, (bytes, bytearray)):
        return {_BYTES: base64.b64encode(bytes(value)).decode()}
    return value


def unwrapped(value: Any) -> Any:
    """The value that `wrapped` was given; what only looks like a wrapping stays as it is."""
    if isinstance(value, (list, tuple)):
        return [unwrapped(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    try:
        if set(value) == {_DATE}:
            return datetime.datetime.fromisoformat(value[_DATE])
        if set(value) == {_BYTES}:
            return base64.b64decode(value[_BYTES], validate=True)
    except (TypeError, ValueError, binascii.Error):
        return dict(value)
    return {name: unwrapped(inner) for name, inner in value.items()}

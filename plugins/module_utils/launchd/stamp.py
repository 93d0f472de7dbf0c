# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of a job's definition, as a short text in the job's own environment.

`launchctl print` shows the environment of a loaded job, but only some keys of its definition. So
each definition that we write has fingerprints of itself and of `restart_on`. A handler is lost with
an interrupted run, and a file can differ from the loaded job. The loaded environment cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.closet.inference.plugins.module_utils.launchd.model import STARTED_WITH

_LENGTH = 16  # hexadecimal digits: 64 bits, and a line that can be read


class Stamp(NamedTuple):
    """Fingerprints of a definition and of its `restart_on` values ("" for none)."""

    definition: str
    restart_on: str

    def __str__(self) -> str:
        return f"definition:{self.definition} restart_on:{self.restart_on or 'nothing'}"


def fingerprint(values: Any) -> str:
    """One short text for opaque values; the order of a dictionary does not count, 1 is not true."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:_LENGTH]


def stamped(plist: Mapping[str, Any], restart_on: Any) -> dict[str, Any]:
    """The definition with its stamp among its variables."""
    restart = "" if restart_on is None else fingerprint(restart_on)
    stamp = Stamp(definition_of(plist), restart)
    variables = {**(plist.get("EnvironmentVariables") or {}), STARTED_WITH: str(stamp)}
    return {**plist, "EnvironmentVariables": variables}


def definition_of(plist: Mapping[str, Any]) -> str:
    """Fingerprint of everything that a plist says, its stamp aside."""
    variables = dict(plist.get("EnvironmentVariables") or {})
    variables.pop(STARTED_WITH, None)
    return fingerprint({**plist, "EnvironmentVariables": variables})


def read_stamp(variables: Mapping[str, str]) -> Stamp | None:
    """The stamp among a job's variables; None when it has none that we wrote."""
    parts = [word.partition(":") for word in variables.get(STARTED_WITH, "").split(" ")]
    if [name for name, _colon, _value in parts] != ["definition", "restart_on"]:
        return None
    definition, restart_on = (value for _name, _colon, value in parts)
    return Stamp(definition, "" if restart_on == "nothing" else restart_on)

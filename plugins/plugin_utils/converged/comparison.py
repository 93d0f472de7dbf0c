# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's part: observe what the record of a host names, and compare.

The facts of the probe count too, since they decide which tasks are skipped; those that change by
themselves, such as the free space, do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import context

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import (
    notes,
    observation,
    records,
    watches,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import keys
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import SECRETS

# Names of the probe's lines that are other ones the next time, or whose effect shows elsewhere.
PASSING = frozenset(
    ("probe", "room", "power", "listener", "ours", "hub_line", "reached_at", "run", "tailnet")
)
OBSERVED = frozenset(("seen", "hash", "tree", "below", "job", "said", "reply", "read", "observed"))


@dataclass(frozen=True)
class Verdict:
    """Whether the tasks of a host can be left out, and which state of its closet that rests on."""

    converged: bool = False
    state: str = ""
    closet: str = ""
    differences: tuple[str, ...] = ()


class Comparison:
    """One host of this run and its record."""

    def __init__(self, host: str, closet: str, inputs: str, variables: Mapping[str, Any]) -> None:
        self._host = host
        self._closet = closet
        self._inputs = inputs
        sources = [str(one) for one in variables.get("ansible_inventory_sources") or ()]
        self._folder = records.folder(sources)
        self._record: records.Record | None = None
        if inputs and this_run.name_of_playbook() == "site":
            self._record = records.read(self._folder, host)

    def script(self, variables: Mapping[str, Any]) -> str:
        """What the probe has to run for this host; empty without a record."""
        if self._record is None or not self._record.watches:
            return ""
        asks = any(watch.kind == "endpoint" for watch in self._record.watches)
        known = _known_keys(variables) if asks else {}
        return observation.script(self._record.watches, self._record.homes, known)

    def verdict(self, output: str, homes: Mapping[str, str]) -> Verdict:
        """Compare, and note what a record of this run would hold.

        `output` is the probe's; `homes` are those of observation.script.
        """
        if not self._inputs:
            return Verdict()
        lines = output.split("\n")
        subjects: dict[str, str] | None = None
        found: tuple[watches.Watch, ...] = ()
        gap = "no run is recorded"
        if self._record is not None:
            found = self._record.watches
            state = observation.read(lines, found, self._record.homes)
            subjects = None if state.gap else {**_facts(lines), **state.subjects}
            gap = state.gap
        fresh = records.made(self._inputs, found, subjects, homes)
        noted = {"record": fresh.plain(), "closet": self._closet, "folder": str(self._folder)}
        notes.note("probe", self._host, noted)
        if self._record is None or subjects is None:
            return Verdict(differences=(gap,))
        differences = self._record.differences(self._inputs, subjects)
        if context.CLIARGS.get("flush_cache"):
            differences.append("--flush-cache was given")
        return Verdict(not differences, self._record.state, self._record.closet, tuple(differences))


def _facts(lines: Iterable[str]) -> dict[str, str]:
    """The lines of the probe that count, by name."""
    found: dict[str, list[str]] = {}
    for line in lines:
        name, sign, value = line.strip().partition("=")
        if sign and name not in PASSING and name not in OBSERVED:
            found.setdefault(f"fact {name}", []).append(value)
    return {name: "\n".join(values) for name, values in found.items()}


def _known_keys(variables: Mapping[str, Any]) -> dict[str, str]:
    """Every API key that this controller has, by its digest."""
    hostvars, groups = variables["hostvars"], variables["groups"]
    found: list[str] = []
    for closet in groups.get("closet", ()):
        folder = Path(str(hostvars[closet].get("inventory_dir", "."))) / SECRETS
        store = KeyStore(folder, closet)
        try:
            found += [*store.stored().values(), *store.revoked().values()]
        except (keys.KeysRefusedError, OSError):
            continue
        found += keys.given(hostvars, closet, groups.get("clients", ())).values()
    return {watches.digest(key): key for key in found}

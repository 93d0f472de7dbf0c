# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between the present and the wanted settings of pmset. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.module_utils.power.pmset import (
    AFTER_FAILURE,
    AT_CONNECT,
    FLAGS,
    OTHER_NAME,
    SOURCES,
    Settings,
)


@dataclass(frozen=True)
class Want:
    """The wanted settings; sources and keys that are not named stay as they are."""

    settings: Settings
    sleep_disabled: bool | None = None


@dataclass(frozen=True)
class Have:
    """The present settings; `sleep_disabled` is None if it was not read."""

    settings: Settings
    sleep_disabled: bool | None = None


@dataclass(frozen=True)
class Plan:
    """What to write, and what this Mac does not have, as `source` or `source.key`."""

    writes: Settings = field(default_factory=dict)
    sleep_disabled: bool | None = None
    unsupported: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything has to be written."""
        return bool(self.writes) or self.sleep_disabled is not None

    @property
    def argv(self) -> list[str]:
        """The one command that writes it all."""
        words = ["/usr/bin/pmset"]
        for source, keys in self.writes.items():
            words.append(FLAGS[source])
            for key, value in keys.items():
                words += [key, value]
        if self.sleep_disabled is not None:
            words += ["-a", "disablesleep", str(int(self.sleep_disabled))]
        return words


def plan(want: Want, have: Have) -> Plan:
    """The differences, without settings that this Mac does not print: it would not keep them."""
    writes: dict[str, dict[str, str]] = {}
    unsupported = []
    for source in SOURCES:
        wanted = want.settings.get(source) or {}
        there = have.settings.get(source)
        if there is None:
            unsupported += [source] if wanted else []
            continue
        for key, value in with_start_up(wanted, there).items():
            name = shown_as(key, there)
            if name is None:
                unsupported.append(f"{source}.{key}")
            elif there[name] != value:
                writes.setdefault(source, {})[name] = value
    differs = want.sleep_disabled is not None and want.sleep_disabled != have.sleep_disabled
    return Plan(writes, want.sleep_disabled if differs else None, tuple(unsupported))


def with_start_up(wanted: Mapping[str, str], there: Mapping[str, str]) -> Mapping[str, str]:
    """The wanted settings, with both keys of "Start up when power is connected" as one setting.

    Always includes a start after a power failure, so a Mac with Always stays as it is.
    """
    if AT_CONNECT not in there:
        return wanted
    if wanted.get(AT_CONNECT) == "1" and AFTER_FAILURE in there:
        return {**wanted, AFTER_FAILURE: "0"}
    if AT_CONNECT not in wanted and there[AT_CONNECT] == "1" and wanted.get(AFTER_FAILURE) == "1":
        return {key: value for key, value in wanted.items() if key != AFTER_FAILURE}
    return wanted


def shown_as(key: str, there: Mapping[str, str]) -> str | None:
    """This Mac's name for a setting; None if it does not have the setting."""
    if key in there:
        return key
    other = OTHER_NAME.get(key)
    return other if other in there else None


def table(have: Have, todo: Plan, after: bool) -> str:
    """The settings that the plan changes, as lines for a diff."""
    lines = []
    for source, keys in todo.writes.items():
        for key, value in sorted(keys.items()):
            lines.append(f"{source} {key} {value if after else have.settings[source][key]}")
    if todo.sleep_disabled is not None:
        lines.append(f"sleep_disabled {int(todo.sleep_disabled == after)}")
    return "".join(f"{line}\n" for line in lines)

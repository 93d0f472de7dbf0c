# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has learned about its hosts, from the notes of its workers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.converged import records, watches

PREFIX = "closet.inference."
# Tasks that leave a host alone, or say only what the controller knows.
TRANSPARENT = frozenset(
    (
        *(f"{PREFIX}{name}" for name in watches.OF),
        *(f"{PREFIX}{name}" for name in ("api_keys", "host_facts", "inventory_check", "run_lock")),
        *(
            f"ansible.builtin.{name}"
            for name in (
                *("assert", "fail", "import_role", "import_tasks", "include_role", "include_tasks"),
                *("meta", "set_fact", "validate_argument_spec"),
            )
        ),
    )
)


@dataclass
class Host:
    """One host: what its probe saw, what its tasks relied on, and whether they were left out."""

    probe: records.Record | None = None
    watched: list[watches.Watch] = field(default_factory=list)
    observable: bool = True
    left_out: bool = False
    state: str = ""
    """Of a closet that was left out: that of its record."""
    closet: str = ""
    folder: str = ""
    """Where its record is."""


def is_transparent(action: str, role: str) -> bool:
    """Whether a task whose action is `action` has no effect that the probe does not see."""
    if action == "ansible.builtin.debug":
        return role == f"{PREFIX}preflight"  # other reports are for every run
    return action in TRANSPARENT


def ended(found: Iterable[tuple[str, str, Any]]) -> dict[str, Host]:
    """The hosts of a run by name, from its notes."""
    hosts: dict[str, Host] = {}
    for kind, name, what in found:
        host = hosts.setdefault(name, Host())
        if kind == "probe":
            host.probe = records.from_plain(what["record"])
            host.closet, host.folder = what["closet"], what["folder"]
        elif kind == "left out":
            host.left_out, host.state = True, what
        elif what is None:
            host.observable = False
        else:
            host.watched += map(watches.read, what)
    return hosts


def remembered(hosts: dict[str, Host], quiet: Collection[str]) -> dict[str, records.Record]:
    """The records to write: closets first, since those of laptops name the state of theirs.

    A host on which something changed, or of which the probe did not observe everything that the
    tasks relied on, gets a record with its watches alone, for the probe of the next run.
    """
    made: dict[str, records.Record] = {}
    for name, host in sorted(hosts.items(), key=lambda item: item[0] != item[1].closet):
        if host.probe is None or host.left_out or not host.observable or not host.watched:
            continue
        watched = tuple(watches.unique(host.watched))
        saw_all = set(watched) <= set(host.probe.watches)
        whole = name in quiet and saw_all and host.probe.subjects is not None
        record = replace(host.probe, watches=watched, closet=_state_of(host.closet, hosts, made))
        made[name] = record if whole else replace(record, subjects=None)
    return made


def _state_of(closet: str, hosts: Mapping[str, Host], made: Mapping[str, records.Record]) -> str:
    """The state of a laptop's closet; empty for a closet, and for one that has not converged."""
    if closet in made and made[closet].subjects is not None:
        return made[closet].state
    return hosts[closet].state if closet in hosts else ""

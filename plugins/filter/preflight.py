# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plays of a run know of each other: whether preflight has been, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import notes
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import parts
from ansible_collections.closet.inference.plugins.plugin_utils.probe import verdict


def after_preflight(pattern: str, hostvars: Any = None, play: str = "") -> str:
    """The pattern of hosts of a play, which refuses to begin when preflight was left out.

    Of a `play` that has parts it is one that no host fits, when none of these was asked for.
    """
    if play and this_run.leaves_out(play):
        return "!all"
    # Ansible has no hostvars before its first play
    known = hostvars or {}
    if this_run.only_lists():
        return pattern
    if any("preflight_inventory" in _raw(known, host) for host in known):
        return pattern + "".join(f":!{host}" for host in _converged(known))
    raise AnsibleFilterError(parts.from_the_middle(this_run.invocation().playbook))


def _converged(hostvars: Any) -> list[str]:
    """The hosts whose tasks would change nothing, and those of their closets; of all of site.yml.

    A part that is asked for with --tags always has its tasks.
    """
    if this_run.name_of_playbook() != "site" or this_run.is_partial():
        return []
    found: dict[str, Mapping[str, Any]] = {}
    for host in hostvars:
        facts = _raw(hostvars, host).get("preflight_facts") or {}
        if facts.get("converged"):
            found[host] = facts
    left_out = []
    for host, facts in found.items():
        closet = facts["converged_closet"]
        same = closet in found and facts["converged_with"] == found[closet]["converged_state"]
        if closet == host or same:
            notes.note("left out", host, facts["converged_state"])
            left_out.append(host)
    return left_out


def preflight_errors(
    hosts: Collection[str],
    hostvars: Any,
    closets: Collection[str] = (),
    answering: Collection[str] = (),
    consent: bool = True,
) -> list[str]:
    """Why the run must not begin: the errors of the hosts of a play."""
    found = {host: _raw(hostvars, host).get("preflight_facts") or {} for host in hosts}
    silent = set(hosts) - set(answering)
    return verdict.errors(found, closets, silent, consent)


def _raw(hostvars: Any, host: str) -> Mapping[str, Any]:
    """The variables of a host as they are; what a task registered is no template."""
    raw: Mapping[str, Any] = getattr(hostvars, "raw_get", hostvars.get)(host)
    return raw


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"after_preflight": after_preflight, "preflight_errors": preflight_errors}

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the present to the wanted node. Pure.

All refusals happen here, before the first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.tailscale import refusals
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    PREFERENCES,
    Entry,
    Have,
    Plan,
    Step,
    Want,
    same_server,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.readings import (
    is_in_tailnet,
)

UP = ("Running", "Starting")


def plan(want: Want, have: Have) -> Plan:
    """The steps from `have` to `want`; raises NodeError where a step may not be taken."""
    if want.app:
        return _plan_app(want, have)
    if not want.present:
        leave = (Step("logout", f"log out of {have.server}"),) if have.has_key else ()
        _refuse_a_cut(want, leave)
        return Plan(leave)
    refusals.state(have)
    steps = (*_log_in(want, have), *_settings(want, have), *_serving(want, have))
    _refuse_a_cut(want, steps)
    return Plan(steps)


def _plan_app(want: Want, have: Have) -> Plan:
    """The app is the person's: its preferences are set, its login is not touched."""
    if not want.present:
        return Plan()
    person = refusals.person(want, have)
    if have.state not in UP:
        return Plan(person=person)
    steps = (*_settings(want, have), *_serving(want, have))
    _refuse_a_cut(want, steps)
    return Plan(steps, person=person)


def _log_in(want: Want, have: Have) -> tuple[Step, ...]:
    """The steps to a node that is logged in and up, with its wanted tags."""
    login = Step("login", f"log in to {want.server}")
    moves = have.has_key and not same_server(have.server, want.server)
    if moves:
        refusals.tailnet(want, have)
        refusals.key(want, have)
        return (Step("logout", f"log out of {have.server}"), login)
    if have.state not in (*UP, "Stopped") or (have.state == "Stopped" and not have.has_key):
        refusals.key(want, have)
        return (replace(login, renews=have.has_key),)
    start = (Step("start", "bring it up"),) if have.state == "Stopped" else ()
    if have.unseen and want.reauthenticate and want.key:
        return (*start, Step("reauthenticate", f"log in again to {want.server}"))
    if not want.tags or set(want.tags) == set(have.tags) or not have.addresses:
        return start
    refusals.tags(want, have)
    refusals.key(want, have)
    again = Step("reauthenticate", f"log in again for {', '.join(sorted(want.tags))}")
    return (*start, again)


def _settings(want: Want, have: Have) -> Iterator[Step]:
    """One step for each preference that differs; a login sets them as it goes."""
    for word, value in want.prefs.items():
        name = PREFERENCES[word][0]
        if have.prefs.get(name) != value:
            shown = _shown(value)
            yield Step("set", f"set {word} to {shown}", pref=word, value=value)


def _serving(want: Want, have: Have) -> Iterator[Step]:
    """First what is gone, then what is new: a port may be both."""
    if want.serve is None:
        return
    wanted = {entry.port: entry for entry in want.serve}
    there: dict[int, list[Entry]] = {}
    for entry in have.served:
        there.setdefault(entry.port, []).append(entry)
    for port, entries in there.items():
        goes = port in have.ours and not (port in wanted and _same(wanted[port], entries, have))
        for entry in entries if goes else ():
            yield Step("unserve", f"serve no longer {entry.words}", entry=entry)
    for port, entry in wanted.items():
        entries = there.get(port, [])
        if _same(entry, entries, have):
            continue
        if entries and port not in have.ours:
            refusals.port(entry, entries)
        refusals.certificate(entry, have)
        yield Step("serve", f"serve {entry.words}", entry=entry)


def _same(wanted: Entry, entries: list[Entry], have: Have) -> bool:
    """Whether a port serves only the wanted entry, at the node's present name."""
    if len(entries) != 1:
        return False
    entry = entries[0]
    named = wanted.protocol == "tcp" or entry.host == have.dns_name
    return named and not entry.funnel and _core(entry) == _core(wanted)


def _core(entry: Entry) -> tuple[Any, ...]:
    to = entry.to.replace("localhost:", "127.0.0.1:")
    return (entry.port, entry.protocol, to, entry.path)


def _refuse_a_cut(want: Want, steps: tuple[Step, ...]) -> None:
    if want.may_cut or not is_in_tailnet(want.reached_at):
        return
    cutting = [step.says for step in steps if _cuts(step)]
    if cutting:
        refusals.cut(want, cutting)


def _cuts(step: Step) -> bool:
    """Whether a step may end an ssh connection that comes through the tailnet."""
    if step.kind == "set":
        return step.pref == "ssh" or (step.pref == "shields_up" and bool(step.value))
    if step.kind == "serve" and step.entry is not None:
        return step.entry.port == 22
    return step.kind in ("logout", "reauthenticate")


def others(want: Want, have: Have) -> list[str]:
    """The served entries that are not ours, as text."""
    wanted = {entry.port for entry in want.serve or ()}
    return [entry.words for entry in have.served if entry.port not in have.ours | frozenset(wanted)]


def table(want: Want, have: Have, todo: Plan, after: bool) -> str:
    """The facts that the plan changes, as lines for a diff."""
    lines: list[str] = []
    served = {entry.words for entry in have.served}
    for step in todo.steps:
        if step.kind in ("login", "start"):
            lines.append(f"state: {'Running' if after else have.state or 'not running'}")
        if step.kind == "login" and not have.has_key and after:
            lines.append(f"server: {want.server}")
        if step.kind == "login" and have.has_key:
            lines.append(f"server: {want.server if after else have.server}")
        if step.kind == "logout" and not want.present:
            lines.append(f"state: {'NeedsLogin' if after else have.state}")
        if step.kind in ("login", "reauthenticate") and want.tags:
            tags = want.tags if after else have.tags
            lines.append(f"tags: {', '.join(sorted(tags)) or 'none'}")
        if step.kind == "set":
            value = step.value if after else have.prefs.get(PREFERENCES[step.pref][0])
            lines.append(f"{step.pref}: {_shown(value)}")
        if step.kind in ("serve", "unserve") and step.entry is not None:
            served_then = (step.kind == "serve") == after
            words = step.entry.words
            lines += [f"serve: {words}"] if served_then and (after or words in served) else []
    return "".join(f"{line}\n" for line in lines)


def merged(want: Mapping[str, Any], prefs: Mapping[str, Any]) -> dict[str, Any]:
    """The preferences after a login, by the daemon's names: what there is, with ours on top."""
    ours = {PREFERENCES[word][0]: value for word, value in want.items()}
    return {**prefs, **ours}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if value not in (None, "") else "(none)"

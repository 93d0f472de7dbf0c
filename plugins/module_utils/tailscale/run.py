# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observes the node, plans, applies the plan, and checks the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.tailscale import (
    explain,
    record,
    refusals,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.apply import Apply
from ansible_collections.closet.inference.plugins.module_utils.tailscale.command import (
    APP,
    Command,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    PREFERENCES,
    TAILSCALE_SERVER,
    Entry,
    Have,
    NodeError,
    Plan,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.observe import (
    NoAnswerError,
    settle,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.plan import (
    others,
    plan,
    table,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.probe import (
    refuse_an_unfit_server,
)

NO_DAEMON = (
    "no tailscaled answers on this host: {said}. Check the job: `sudo launchctl print "
    "system/inference.closet.tailscaled; sudo tail /var/log/closet/tailscale/tailscaled.log`"
)

UNKNOWN = (
    "no tailscaled answers on this host, so what it is in its tailnet is not known, and this check "
    "cannot say what a run would change there ({said})"
)


def execute(
    params: Mapping[str, Any], runner: Runner, check_mode: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """The result and the warnings; raises NodeError."""
    refusals.words(params)
    want = wanted(params)
    command = Command(
        runner,
        str(params.get("program") or APP),
        "" if want.app else str(params["socket"]),
    )
    ours = record.read(params["serve_record"])
    before, warnings = _observe(command, want, params, ours, check_mode)
    known = want.app or not want.present or before.state
    todo = plan(want, before) if known else Plan()
    if todo.person:
        warnings.append(todo.person)
    after = before
    if any(step.kind in ("login", "reauthenticate") for step in todo.steps):
        refuse_an_unfit_server(runner, want.server)
    if todo.steps and not check_mode:
        apply = Apply(command, want, params["serve_record"], float(params["timeout_s"]))
        after = apply.all(todo, before, params.get("auth_key") or "")
    warnings += explain.warnings(after)
    return _result(want, before, after, todo, check_mode), warnings


def wanted(params: Mapping[str, Any]) -> Want:
    """The wanted state from the options of the task, without the key."""
    text = params.get("auth_key") or ""
    kind = "client" if text.startswith("tskey-client-") else "auth"
    entries = params.get("serve")
    return Want(
        present=params["state"] == "present",
        app=params["variant"] == "app",
        server=(params.get("login_server") or TAILSCALE_SERVER).rstrip("/"),
        key=kind if text else "",
        tags=tuple(sorted(params.get("tags") or ())),
        prefs={word: params[word] for word in PREFERENCES if params.get(word) is not None},
        serve=None
        if entries is None
        else tuple(Entry(int(e["port"]), str(e["to"]), str(e["protocol"])) for e in entries),
        change_tailnet=bool(params.get("change_tailnet")),
        reauthenticate=bool(params.get("reauthenticate")),
        reached_at=str(params.get("reached_at") or ""),
        may_cut=bool(params.get("may_cut_connection")),
    )


def _observe(
    command: Command, want: Want, params: Mapping[str, Any], ours: frozenset[int], check_mode: bool
) -> tuple[Have, list[str]]:
    """The present node, and warnings about it.

    A daemon that does not answer is an error, with three exceptions: check mode, where a real run
    would install or start it first; an app, which only a person starts; and a node whose wanted
    state is absent.
    """
    serve = want.serve is not None
    waiting = want.present and not check_mode and not want.app
    try:
        return settle(command, ours, serve, float(params["timeout_s"]), waiting), []
    except NoAnswerError as error:
        if want.app:
            return Have(ours=ours), []
        if want.present and check_mode and error.missing:
            return Have(state="NeedsLogin", ours=ours), []
        if want.present and check_mode:
            return Have(), [UNKNOWN.format(said=error)]
        if not want.present:
            return Have(), [] if error.missing else [_left_behind(error)]
        raise NodeError(NO_DAEMON.format(said=error)) from error


def _left_behind(error: NoAnswerError) -> str:
    return (
        f"this host could not be logged out, because its tailscaled does not answer ({error}). Its "
        "node stays valid until it is removed from the control server's list of machines: do that"
    )


def _result(want: Want, before: Have, after: Have, todo: Plan, check_mode: bool) -> dict[str, Any]:
    foreseen = after
    kinds = {step.kind for step in todo.steps}
    if check_mode and kinds & {"login", "start"}:
        foreseen = replace(after, state="Running")
    elif check_mode and not want.present and todo.steps:
        foreseen = Have(state="NeedsLogin")
    return {
        "changed": bool(todo.steps),
        "backend_state": foreseen.state,
        "addresses": list(foreseen.addresses),
        "dns_name": foreseen.dns_name,
        "tags": list(foreseen.tags),
        "key_expiry": foreseen.key_expiry,
        "serve_urls": [_url(entry, foreseen.dns_name) for entry in want.serve or ()],
        "serve_others": others(want, foreseen),
        "steps": [step.says for step in todo.steps],
        "person": todo.person,
        "diff": text_diff(
            "tailscale",
            table(want, before, todo, after=False),
            table(want, before, todo, after=True),
        ),
    }


def _url(entry: Entry, name: str) -> str:
    """Where it is reached; tcp says nothing of what is spoken, and our server speaks http."""
    scheme = "https" if entry.protocol == "https" else "http"
    usual = {"http": 80, "https": 443}[scheme] == entry.port
    return f"{scheme}://{name}{'' if usual else f':{entry.port}'}" if name else ""

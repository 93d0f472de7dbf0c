# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates the events of a closet's run lock: stale host facts, and messages. Pure."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any


def read(text: str) -> Mapping[str, Any]:
    """The text of the lock file or an event, parsed; empty for any other text."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_stale(news: Mapping[str, Any], seen: str, token: str) -> bool:
    """Whether another run may have changed the closet since the probe, which read `seen`.

    Every run changes the text of the lock file. If it still says `held`, that run was interrupted,
    or it was active during the probe.
    """
    if news.get("state") == "ours":
        return False
    before = str(news.get("before") or "").strip()
    last = read(before)
    if last.get("token") == token:
        return False  # we are looking after our own lock, which lost its connection
    return before != seen.strip() or (bool(before) and last.get("held") is not False)


def describe(holder: Mapping[str, Any]) -> str:
    """Who holds it."""
    if not holder.get("controller"):
        return "a run that does not say who it is"
    since = holder.get("since")
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since)) if _is_time(since) else "?"
    return (
        f"{holder.get('playbook')} of {holder.get('user')} on {holder['controller']} "
        f"(process {holder.get('pid')} there), since {at}"
    )


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 40


def waits(host: str, holder: Mapping[str, Any], wait_s: float) -> str:
    """What the terminal says while a run waits."""
    return (
        f"{host}: another run holds this closet: {describe(holder)}. "
        f"Waiting up to {wait_s:g} s for its end."
    )


def held_by(host: str, holder: Mapping[str, Any]) -> str:
    """What a check says."""
    return (
        f"{host}: another run holds this closet: {describe(holder)}. A check does not wait, and "
        "what it says may be out of date when that run ends."
    )


def too_long(host: str, holder: Mapping[str, Any], wait_s: float) -> str:
    """Why a run stops."""
    return (
        f"{host}: another run holds this closet: {describe(holder)}. It did not end in "
        f"{wait_s:g} s, and this run changed nothing on {host}. Next: run this again when that one "
        f"has ended, or end it on {holder.get('controller', 'its controller')} "
        f"(`kill {holder.get('pid', 'PID')}`): the lock ends with it. With -e closet_wait_s=3600 a "
        "run waits longer"
    )


def failed(host: str, news: Mapping[str, Any], command: str) -> str:
    """Why the lock could not be taken at all; `command` shows its folder."""
    said = str(news.get("said") or "").strip() or "it said nothing"
    return (
        f"{host}: this run could not hold the closet, so it changed nothing there: the command for "
        f"that ended with {news.get('rc')}: {said}. Next: `{command}`"
    )


def no_way(host: str, transport: str) -> str:
    """A connection through which no process can stay."""
    return (
        f"{host}: the connection plugin {transport} cannot hold a closet, so nothing keeps a "
        "second run from working there at the same time. Use ssh"
    )

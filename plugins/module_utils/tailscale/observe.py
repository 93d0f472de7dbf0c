# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a node through its command, and waits for a daemon that has only just started."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.closet.inference.plugins.module_utils.tailscale.command import (
    Command,
    is_missing,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    Have,
    NodeError,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.readings import (
    read_json,
    read_served,
    read_status,
)

PAUSE_S = 0.5
# Of a daemon that has just started: it reads its state file, and asks its server.
SHORT_LIVED = ("NoState", "Starting")


class NoAnswerError(NodeError):
    """The command is missing, or no daemon answers it."""

    def __init__(self, message: str, missing: bool) -> None:
        super().__init__(message)
        self.missing = missing


def look(command: Command, ours: frozenset[int] = frozenset(), serve: bool = True) -> Have:
    """The node as it is; raises NoAnswerError when no daemon answers."""
    status = _ask(command, "status", "--json", "--peers=false")
    prefs = _ask(command, "debug", "prefs")
    have = read_status(read_json(status, "tailscale status --json"), read_json(prefs, "prefs"))
    if not serve:
        return have
    served = _ask(command, "serve", "status", "--json")
    entries = read_served(read_json(served, "tailscale serve status --json"))
    return replace(have, served=entries, ours=ours)


def settle(
    command: Command, ours: frozenset[int], serve: bool, patience_s: float, waiting: bool = True
) -> Have:
    """The node once it knows what it is; it gets `patience_s` for that.

    A daemon that was started a moment ago has no socket yet, and then no state. With `waiting`
    False only the second is waited for.
    """
    end = command.runner.now() + patience_s
    while True:
        try:
            have = look(command, ours, serve)
        except NoAnswerError as error:
            if error.missing or not waiting or command.runner.now() >= end:
                raise
        else:
            if have.state not in SHORT_LIVED or command.runner.now() >= end:
                return have
        command.runner.sleep(PAUSE_S)


def _ask(command: Command, *words: str) -> str:
    done = command.run(*words)
    if done.rc == 0:
        return done.stdout
    said = " ".join(f"{done.stderr} {done.stdout}".split())[-300:]
    if is_missing(done):
        raise NoAnswerError(f"there is no {command.program} ({said})", missing=True)
    how = "did not end in time" if done.timed_out else f"ended with {done.rc}"
    told = f"`tailscale {' '.join(words)}` {how}: {said or 'it said nothing'}"
    raise NoAnswerError(told, missing=False)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies the planned steps, the login first, and plans again after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.closet.inference.plugins.module_utils.tailscale import explain, record
from ansible_collections.closet.inference.plugins.module_utils.tailscale.command import (
    Command,
    key_text,
    serve_words,
    set_words,
    unserve_words,
    up_words,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    Have,
    NodeError,
    Plan,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.observe import (
    NoAnswerError,
    settle,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.plan import merged, plan

START_S = 20  # for a node that is logged in and switched off
MARGIN_S = 15  # that a command gets on top of what it waits for itself


@dataclass(frozen=True)
class Apply:
    """What every step needs; the key is shown to the login alone."""

    command: Command
    want: Want
    record: str
    timeout_s: float

    def all(self, todo: Plan, have: Have, key: str) -> Have:
        """Take the steps and return the node as it is then; raises NodeError."""
        ours = have.ours
        have = self._log_in(todo, have, key)
        if not self.want.present:
            record.write(self.record, ())
            return have
        if have.state == "NeedsLogin":  # it was switched off, and its key has ended meanwhile
            have = self._log_in(plan(self.want, have), have, key)
        self._tags(have)
        for step in plan(self.want, have).steps:
            if step.kind == "set":
                self._do(step, set_words(step))
        have = self._look(ours)  # its name may be another one now
        if self.want.serve is not None:
            self._serve(have)
            have = self._look(frozenset(entry.port for entry in self.want.serve))
        self._took(have)
        return have

    def _log_in(self, todo: Plan, have: Have, key: str) -> Have:
        for step in todo.steps:
            if step.kind == "logout":
                self._do(step, ["logout"])
            elif step.kind == "start":
                self._start(step)
            elif step.kind in ("login", "reauthenticate"):
                self._use_key(step, have, key)
            else:
                continue
            have = self._look(have.ours)
        return have

    def _start(self, step: Step) -> None:
        """`up` without a word keeps everything; where the key has ended meanwhile it would wait."""
        done = self.command.run("up", timeout_s=START_S)
        if done.rc != 0 and self._look(frozenset()).state != "NeedsLogin":
            raise NodeError(explain.step(step.says, done))

    def _use_key(self, step: Step, have: Have, key: str) -> None:
        """`up` with the key; whatever goes wrong has a reason that the daemon may know better."""
        words = up_words(step, self.want, merged(self.want.prefs, have.prefs), self.timeout_s)
        done = self.command.run(*words, timeout_s=self.timeout_s + MARGIN_S, key=key_text(key))
        now: Have | None
        try:
            now = self._look(have.ours)
        except NoAnswerError:
            now = None
        if done.rc == 0 and now is not None and now.state == "Running":
            return
        if now is None or now.state == "NeedsLogin":  # it would go on trying with this key
            self.command.run("down")
        raise NodeError(explain.login(self.want, done, now, key))

    def _tags(self, have: Have) -> None:
        if self.want.tags and set(self.want.tags) != set(have.tags):
            raise NodeError(explain.tags_given(self.want, have))

    def _serve(self, have: Have) -> None:
        """Serve the wanted entries; the record always has at least the served ones."""
        wanted = {entry.port for entry in self.want.serve or ()}
        steps: Sequence[Step] = plan(self.want, have).steps
        record.write(self.record, have.ours | wanted)
        for step in steps:
            if step.entry is not None:
                words = serve_words if step.kind == "serve" else unserve_words
                self._do(step, words(step.entry))
        record.write(self.record, wanted)

    def _took(self, have: Have) -> None:
        left = plan(self.want, have).steps
        if left:
            told = "; ".join(step.says for step in left)
            raise NodeError(
                f"all steps ended well, but these differences remain: {told}. Another program may "
                "manage this node too. Check it: `tailscale status; tailscale debug prefs`"
            )

    def _do(self, step: Step, words: Sequence[str]) -> None:
        done = self.command.run(*words, timeout_s=self.timeout_s + MARGIN_S)
        if done.rc != 0:
            raise NodeError(explain.step(step.says, done))

    def _look(self, ours: frozenset[int]) -> Have:
        return settle(self.command, ours, self.want.serve is not None, self.timeout_s)

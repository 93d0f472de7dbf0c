# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the planned steps, the login first, and looks after each what is left to do."""

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

MARGIN_S = 15  # that a command gets on top of what it waits for itself
LOGINS = ("logout", "login", "start", "reauthenticate")


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
        for step in todo.steps:
            if step.kind in LOGINS:
                self._log_in(step, have, key)
                have = self._look(ours)
        if not self.want.present:
            record.write(self.record, ())
            return have
        self._tags(have)
        for step in plan(self.want, have).steps:
            if step.kind == "set":
                self._do(step, set_words(step))
        have = self._look(ours)  # its name may be another one now
        return self._serve(have)

    def _log_in(self, step: Step, have: Have, key: str) -> None:
        if step.kind == "logout":
            self._do(step, ["logout"])
        elif step.kind == "start":
            self._do(step, ["up", f"--timeout={int(self.timeout_s)}s"])
        else:
            self._use_key(step, have, key)

    def _use_key(self, step: Step, have: Have, key: str) -> None:
        """`up` with the key; whatever goes wrong has a reason that the daemon may know better."""
        words = up_words(step, self.want, merged(self.want.prefs, have.prefs), self.timeout_s)
        done = self.command.run(*words, timeout_s=self.timeout_s + MARGIN_S, key=key_text(key))
        now: Have | None
        try:
            now = self._look(have.ours)
        except NoAnswerError:
            now = None
        if done.rc != 0 or now is None or now.state != "Running":
            raise NodeError(explain.login(self.want, done, now, key))

    def _tags(self, have: Have) -> None:
        if self.want.tags and set(self.want.tags) != set(have.tags):
            raise NodeError(explain.tags_given(self.want, have))

    def _serve(self, have: Have) -> Have:
        """Serve what shall be served; the record always knows at least what is."""
        if self.want.serve is None:
            return have
        wanted = {entry.port for entry in self.want.serve}
        steps: Sequence[Step] = plan(self.want, have).steps
        record.write(self.record, have.ours | wanted)
        for step in steps:
            if step.entry is not None:
                words = serve_words if step.kind == "serve" else unserve_words
                self._do(step, words(step.entry))
        record.write(self.record, wanted)
        after = self._look(frozenset(wanted))
        left = plan(self.want, after).steps
        if left:
            told = "; ".join(step.says for step in left)
            raise NodeError(
                f"everything was done, and yet this is left: {told}. Somebody else may manage this "
                "node too. Look at it: tailscale status; tailscale serve status"
            )
        return after

    def _do(self, step: Step, words: Sequence[str]) -> None:
        done = self.command.run(*words, timeout_s=self.timeout_s + MARGIN_S)
        if done.rc != 0:
            raise NodeError(explain.step(step.says, done))

    def _look(self, ours: frozenset[int]) -> Have:
        return settle(self.command, ours, self.want.serve is not None, self.timeout_s)

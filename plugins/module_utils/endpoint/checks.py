# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checks of a /v1: does it connect, list its models, answer, and how fast."""

from __future__ import annotations

import http.client
import secrets
from collections.abc import Sequence
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.model import (
    CheckError,
    Report,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.endpoint.resolver import (
    WrongNameError,
    proven,
)
from ansible_collections.closet.inference.plugins.module_utils.endpoint.stream import watched
from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    BrokenReplyError,
    NoConnectionError,
    Reply,
    Wire,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 3.0
SHORTEST_TRY_S = 0.5
ANSWER_TOKENS = 16
MEASURE_TOKENS = 64
# 409 while a model is being loaded, 429 and 503 when the queue is full (omlx)
BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
LATCHED = ("incomplete", "unavailable", "corrupt")  # a 409 that waiting does not mend
CLOSED = ("refused", "silent", "unreachable")
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


class Checks:
    """All checks in order; `run` starts again with the first one after each pause."""

    def __init__(self, want: Want, runner: Runner) -> None:
        self._want = want
        self._runner = runner
        self._deadline = runner.now() + want.timeout_s
        self._begun = runner.now()

    def run(self) -> Report:
        """Try until all pass, until waiting cannot help, or until the time is up."""
        pause = FIRST_PAUSE_S
        before = None
        while True:
            report = Report()
            try:
                self._once(report)
                return report
            except CheckError as error:
                report.steps.append(Step(error.step, False, self._ms(), str(error)))
                left = self._deadline - self._runner.now()
                if not error.again or left <= SHORTEST_TRY_S:
                    report.failure = self._sentence(error, before)
                    return report
                before = error
                self._runner.sleep(min(pause, left - SHORTEST_TRY_S))
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _sentence(self, error: CheckError, before: CheckError | None) -> str:
        waited = self._runner.now() - self._begun
        after = f" after {waited:.0f} s" if error.again and waited >= 1 else ""
        words = f"{self._want.base.url}: step '{error.step}' failed{after}: {error}"
        if before and str(before) != str(error):
            words += f" (the try before ended at '{before.step}': {before})"
        return words

    def _once(self, report: Report) -> None:
        self._began = self._runner.now()
        want = self._want
        wire = Wire(want.base, want.api_key, self._runner, self._deadline)
        try:
            self._name(report)
            self._connect(wire, report)
            if want.expect == "refused":
                raise CheckError("connect", "something listens there, and nothing should", True)
            self._models(wire, report)
            if want.expect == "ok" and want.refused_keys:
                self._keys(report)
            if want.expect == "ok" and want.answer:
                self._answer(wire, want.answer, report)
            if want.expect == "ok" and want.answer and want.measure:
                self._stream(wire, want.answer, report)
        except _ClosedAsExpected as closed:
            self._passed(report, "connect", str(closed))
        except (BrokenReplyError, NoConnectionError) as error:
            step = _next_step(want, report.steps)
            raise CheckError(step, str(error), True) from error
        finally:
            wire.close()

    def _name(self, report: Report) -> None:
        """The system's resolver leads to where it has to, as it would for any other program."""
        if not self._want.resolves_to:
            return
        try:
            found = proven(self._want.base.host, self._want.resolves_to)
        except WrongNameError as error:
            raise CheckError("name", str(error), True) from error
        self._passed(report, "name", found)

    def _connect(self, wire: Wire, report: Report) -> None:
        try:
            wire.connect()
        except NoConnectionError as error:
            if self._want.expect == "refused" and error.cause.kind in CLOSED:
                raise _ClosedAsExpected(str(error)) from error
            raise CheckError("connect", str(error), True) from error
        self._passed(report, "connect", "connected")

    def _models(self, wire: Wire, report: Report) -> None:
        reply = wire.get("/models")
        if self._want.expect == "unauthorized":
            self._refusal(reply, report)
            return
        _raise_unless_ok("models", reply)
        report.models = _listed(reply)
        missing = [name for name in self._want.models if name not in report.models]
        extra = [name for name in report.models if name not in self._want.models]
        if missing:
            there = ", ".join(report.models) or "no model at all"
            words = f"{', '.join(missing)} is not listed; the server has {there}"
            raise CheckError("models", words, False)
        if self._want.exact and extra:
            raise CheckError("models", f"{', '.join(extra)} is listed and should not be", False)
        self._passed(report, "models", f"{len(report.models)} listed")

    def _refusal(self, reply: Reply, report: Report) -> None:
        if reply.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            self._passed(report, "models", f"{reply.status} {reply.complaint()}")
            return
        if reply.status in BUSY:
            _raise_unless_ok("models", reply)
        key = "this key" if self._want.api_key else "no key"
        words = f"the server should refuse {key}, and answered {reply.status}"
        raise CheckError("models", words, False)

    def _keys(self, report: Report) -> None:
        """Each of these keys has to be refused, on a connection of its own."""
        for key in self._want.refused_keys:
            wire = Wire(self._want.base, key, self._runner, self._deadline)
            try:
                reply = wire.get("/models")
            finally:
                wire.close()
            if reply.status in BUSY:
                _raise_unless_ok("keys", reply)
            if reply.status not in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
                words = f"a key that was taken away is answered with {reply.status}"
                raise CheckError("keys", words, False)
        self._passed(report, "keys", f"{len(self._want.refused_keys)} refused")

    def _answer(self, wire: Wire, model: str, report: Report) -> None:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "Reply with the word ok."}],
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "stream": False,
        }
        reply = wire.post("/chat/completions", body)
        _raise_unless_ok("answer", reply)
        document = reply.document()
        choices = document.get("choices") if isinstance(document, dict) else None
        if not isinstance(choices, list) or not choices:
            words = f"{model} gave 200 without an answer: {reply.complaint()}"
            raise CheckError("answer", words, False)
        self._passed(report, "answer", f"{model} answered")

    def _stream(self, wire: Wire, model: str, report: Report) -> None:
        begun = self._runner.now()
        refusal, events = wire.stream("/chat/completions", self._measured_request(model))
        if refusal is not None:
            _raise_unless_ok("stream", refusal)
        seen = watched(events)
        if seen.first is None or seen.last is None:
            raise CheckError("stream", f"{model} streamed nothing", False)
        report.ttft_s = round(seen.first - begun, 3)
        tokens = seen.tokens or seen.chunks
        if tokens > 1 and seen.last > seen.first:
            report.decode_tps = round((tokens - 1) / (seen.last - seen.first), 1)
        counted = "" if seen.tokens else " (chunks counted, the server gave no usage)"
        detail = f"{tokens} tokens after {seen.prompt_tokens} of prompt{counted}"
        if seen.cached_tokens:
            detail += f", {seen.cached_tokens} of them from a cache"
        self._passed(report, "stream", detail)

    def _measured_request(self, model: str) -> dict[str, Any]:
        """A nonce comes first: a cached prefix would make a repeat look faster than it is."""
        count = self._want.prompt_words
        filler = " ".join(f"{WORDS[at % len(WORDS)]}{at}" for at in range(count))
        text = f"Run {secrets.token_hex(8)}. Count from 1 to 200, one number per line.\n{filler}"
        return {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": MEASURE_TOKENS,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def _passed(self, report: Report, step: str, detail: str) -> None:
        report.steps.append(Step(step, True, self._ms(), detail))

    def _ms(self) -> int:
        """Milliseconds since the last check."""
        now = self._runner.now()
        passed, self._began = now - self._began, now
        return round(passed * 1000)


class _ClosedAsExpected(Exception):  # noqa: N818 - not an error
    """The port is closed, and that is what was asked for."""


def _listed(reply: Reply) -> list[str]:
    document = reply.document()
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        words = f"the answer is not a list of models: {reply.complaint()}"
        raise CheckError("models", words, False)
    return [str(entry["id"]) for entry in data if isinstance(entry, dict) and entry.get("id")]


def _raise_unless_ok(step: str, reply: Reply) -> None:
    if reply.status == http.client.OK:
        return
    words = f"{reply.status} {reply.complaint()}"
    if reply.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        words += " (the key is missing, wrong, or was revoked)"
    latched = any(word in reply.complaint().lower() for word in LATCHED)
    raise CheckError(step, words, reply.status in BUSY and not (reply.status == 409 and latched))


def _next_step(want: Want, steps: Sequence[Step]) -> str:
    names = [
        *(["name"] if want.resolves_to else []),
        *("connect", "models", *(["keys"] if want.refused_keys else []), "answer", "stream"),
    ]
    return names[min(len(steps), len(names) - 1)]

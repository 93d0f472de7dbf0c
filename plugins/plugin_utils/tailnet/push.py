# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headscale and the policy that it is to have: what to send, and what its answers mean; pure.

Source: headscale 0.29.2, hscontrol/grpcv1.go and hscontrol/policy/v2/test.go.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.policy import MARK

PATH = "/api/v1/policy"
CHECK_PATH = "/api/v1/policy/check"
# what it says of a tag that no machine has: the policy may be right, its tests cannot run yet
_NOBODY = re.compile(r"resolved to no IP addresses")
_FAILED = "test(s) failed"


class PushError(Exception):
    """The policy was not taken; the text says why and what to run next."""


@dataclass(frozen=True)
class Answer:
    """What a headscale answered: an HTTP status, and its body as JSON or text."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What it says is wrong."""
        if isinstance(self.body, dict):
            return str(self.body.get("message") or "")
        return str(self.body or "")


def current(answer: Answer, server: str, place: str) -> str:
    """The policy that a headscale has, empty for none; raises PushError."""
    if answer.status == 200 and isinstance(answer.body, dict):
        return str(answer.body.get("policy") or "")
    if "policy not found" in answer.message:
        return ""
    raise PushError(_refused(answer, server, place))


def error(now: str, server: str, file: str) -> str | None:
    """Why a policy must not be replaced: it is the owner's own. None when it may be."""
    if not now.strip() or now.startswith(MARK) or _is_open(now):
        return None
    return (
        f"{server} has a policy that was not made from an inventory, and it would be lost: put "
        f"what it says into closet_tailnet_policy (our part is in {file}), then run this again "
        "with -e replace=true"
    )


def without_tests(text: str) -> str:
    """The same policy without what can only be tested when the machines are there."""
    policy = json.loads(text.removeprefix(MARK))
    return MARK + json.dumps({**policy, "tests": []}, indent=2, ensure_ascii=False) + "\n"


def lacks_machines(answer: Answer) -> bool:
    """Whether the tests failed for nothing but tags that no machine has yet."""
    first, *lines = [line for line in answer.message.splitlines() if line.strip()] or [""]
    return (
        answer.status != 200
        and _FAILED in first
        and bool(lines)
        and all(map(_NOBODY.search, lines))
    )


def sent(answer: Answer, server: str, place: str, file: str) -> None:
    """Raise PushError unless a policy was taken, or would be."""
    if answer.status == 200:
        return
    if "update is disabled" in answer.message:
        raise PushError(
            f"{server} reads its policy from a file (policy.mode: file), so it takes none from "
            f"here: copy {file} there and reload it, or set policy.mode: database"
        )
    if _FAILED in answer.message:
        lines = [line.strip() for line in answer.message.splitlines()[1:] if line.strip()]
        raise PushError(
            f"{server} did not take the policy, since its tests fail: {'; '.join(lines)}. What "
            "closet_tailnet_policy adds contradicts them, or a machine has a tag too many"
        )
    raise PushError(_refused(answer, server, place))


def _refused(answer: Answer, server: str, place: str) -> str:
    if answer.status in (401, 403):
        return (
            f"{server} refuses the API key ({place}): make another one there with `headscale "
            "apikeys create`"
        )
    if answer.status == 404:
        return f"{server} has no {PATH}: is it a headscale, 0.29 or later?"
    said = " ".join(answer.message.split())[:300] or "nothing"
    return f"{server} did not take the policy: HTTP {answer.status}, it said: {said}"


def _is_open(text: str) -> bool:
    """Whether it is the policy that says nothing, which is what a new tailnet has."""
    try:
        return not json.loads(text)
    except ValueError:
        return False

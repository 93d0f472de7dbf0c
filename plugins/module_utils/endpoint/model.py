# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements of an endpoint, and the results of its checks. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.module_utils.endpoint.resolver import (
    Network,
)
from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    Base,
)


@dataclass(frozen=True)
class Want:
    """The requirements of an endpoint."""

    base: Base
    api_key: str | None = None
    refused_keys: tuple[str, ...] = ()
    resolves_to: tuple[Network, ...] = ()
    models: tuple[str, ...] = ()
    exact: bool = False
    answer: str | None = None
    measure: bool = False
    prompt_words: int = 40
    expect: str = "ok"  # ok | refused | unauthorized
    timeout_s: float = 60


@dataclass(frozen=True)
class Step:
    """One check: what was tried, whether it passed, how long it took."""

    step: str  # name | connect | models | keys | answer | stream
    ok: bool
    ms: int
    detail: str


@dataclass
class Report:
    """What was seen; `failure` is a sentence, or None when all checks passed."""

    steps: list[Step] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    ttft_s: float | None = None
    decode_tps: float | None = None
    failure: str | None = None


class CheckError(Exception):
    """A check did not pass; `again` says whether waiting may help."""

    def __init__(self, step: str, words: str, again: bool) -> None:
        super().__init__(words)
        self.step = step
        self.again = again

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a streamed answer tells: when its first word came, and how many followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.endpoint.model import CheckError


@dataclass
class _Seen:
    first: float | None = None
    last: float | None = None
    chunks: int = 0
    tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int = 0


def watched(events: Iterator[tuple[float, Any]]) -> _Seen:
    seen = _Seen()
    for now, event in events:
        if not isinstance(event, dict):
            continue
        if event.get("error"):
            error = event["error"]
            words = error.get("message") if isinstance(error, dict) else error
            raise CheckError("stream", f"the stream broke off with: {words}", False)
        _note_usage(seen, event.get("usage"))
        if any(_says_something(choice) for choice in event.get("choices") or []):
            seen.first = now if seen.first is None else seen.first
            seen.last = now
            seen.chunks += 1
    return seen


def _note_usage(seen: _Seen, usage: Any) -> None:
    if not isinstance(usage, dict):
        return
    seen.tokens = int(usage.get("completion_tokens") or 0)
    seen.prompt_tokens = usage.get("prompt_tokens")
    details = usage.get("prompt_tokens_details")
    seen.cached_tokens = int((details or {}).get("cached_tokens") or 0)


def _says_something(choice: Any) -> bool:
    """The first chunk usually is a role with empty content, and keep-alive chunks have no delta."""
    delta = (choice or {}).get("delta") or {}
    return any(
        delta.get(key) for key in ("content", "reasoning_content", "reasoning", "tool_calls")
    )

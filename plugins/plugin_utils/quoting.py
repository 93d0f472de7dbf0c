# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value as one word of another program's file. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
# What Caddy takes for its own in a text between backticks: the end, and placeholders.
_CADDY_OWN = {"`": "\\u0060", "{": "\\u007b", "}": "\\u007d"}


class QuotingError(ValueError):
    """The file cannot hold this value; the text says why."""


def shell_word(text: str) -> str:
    """One word for sh, bash and zsh, in quotes always.

    shlex.quote leaves `=ls` as it is, and zsh puts the path of ls in its place.
    """
    if "\0" in text:
        raise QuotingError("a shell cannot hold a NUL")
    return "'" + text.replace("'", "'\"'\"'") + "'"


def caddy_word(text: str) -> str:
    """One argument of a Caddyfile.

    Between quotes a backslash escapes a quote and nothing else, so it cannot stand before one;
    between backticks nothing is escaped. `{$NAME}` is replaced before the file is read at all, and
    other braces when it is used.
    """
    if not text.isprintable() or "{" in text or "}" in text:
        raise QuotingError(f"a Caddyfile cannot hold {text!r}: it has braces or control characters")
    if '\\"' not in text and not text.endswith("\\"):
        escaped = text.replace('"', '\\"')
        return f'"{escaped}"'
    if "`" not in text:
        return f"`{text}`"
    raise QuotingError(
        f'a Caddyfile cannot hold {text!r}: it has a backtick, and a backslash before "'
    )


def caddy_json(value: Any) -> str:
    """JSON between backticks, with no placeholder in any of its texts."""
    text = _JSON_TEXT.sub(
        lambda found: "".join(_CADDY_OWN.get(char, char) for char in found[0]), json.dumps(value)
    )
    return f"`{text}`"

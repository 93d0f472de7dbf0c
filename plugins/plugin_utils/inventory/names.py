# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typing errors in the names of our variables: found, located, and answered with the right name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def misspelled(names: Iterable[str], known: Iterable[str], prefixes: Iterable[str]) -> list[str]:
    """Return the variable names that were surely meant to be one of ours and are not.

    That is a name with one of our prefixes that no role knows, or a name that differs from one
    of ours by a letter or two. Other names are the owner's own and none of our business.
    """
    ours = sorted(known)
    marks = tuple(f"{prefix}_" for prefix in prefixes)
    return [
        name
        for name in sorted(set(names) - set(ours))
        if name.startswith(marks) or difflib.get_close_matches(name, ours, n=1, cutoff=0.9)
    ]


def same_host(address: str) -> str:
    """The same text for two spellings of one name: DNS minds neither case nor a dot at the end."""
    return address.rstrip(".").lower()


def in_url(host: str) -> str:
    """A host as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def nearest(name: object, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name most like `name`, if any is like it at all."""
    found = difflib.get_close_matches(str(name), sorted(map(str, known)), n=1, cutoff=cutoff)
    return found[0] if found else None


def suggestion(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return ', do you mean X?' for the known name most like `name`, or nothing."""
    found = nearest(name, known, cutoff)
    return f", do you mean {found}?" if found else ""

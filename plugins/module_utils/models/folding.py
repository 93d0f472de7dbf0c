# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths are one on a Mac's disk. Pure.

APFS keeps names as they were written, and finds them whatever their case and their Unicode
composition; so does HFS+. That goes for each folder on the way as well.
"""

from __future__ import annotations

import unicodedata


def fold(name: str) -> str:
    """Equal for names that are one there: canonical caseless matching (Unicode 3.13, D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


class FoldedTree:
    """The files that stand together in one folder of a Mac."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool, str]] = {}

    def add(self, path: str) -> str | None:
        """Put a file in, or leave it out and tell the file that is in its way.

        In the way is a file of the same folded path, a file where a folder is needed or the other
        way round, and a folder that is spelled in another way.
        """
        steps = _steps(path)
        for prefix, is_file in steps:
            spelled, was_file, owner = self._seen.get(fold(prefix), (prefix, is_file, ""))
            if owner and owner != path and (spelled != prefix or was_file or is_file):
                return owner
        for prefix, is_file in steps:
            self._seen.setdefault(fold(prefix), (prefix, is_file, path))
        return None


def _steps(path: str) -> list[tuple[str, bool]]:
    """Each folder on the way to a file, and the file: (path so far, whether it is the file)."""
    parts = path.split("/")
    return [("/".join(parts[:end]), end == len(parts)) for end in range(1, len(parts) + 1)]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which a person configures opencode, and the one of them that is the closet's."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import read_linked
from ansible_collections.closet.inference.plugins.module_utils.opencode.conflicts import (
    Closet,
    sentence,
)

# The first line of the file that is ours; opencode allows comments in it.
MARK = "// Managed by closet.inference."
# opencode reads all of these and lets the later ones win; the first is ours.
OURS = ".config/opencode/config.json"
THEIRS = (
    ".config/opencode/opencode.json",
    ".config/opencode/opencode.jsonc",
    ".opencode/opencode.json",
    ".opencode/opencode.jsonc",
)
LARGEST = 1 << 20


class NotOursError(RuntimeError):
    """A file that a run would overwrite belongs to the person."""


def conflicts(home: str, closet: Closet) -> dict[str, str]:
    """One sentence for each file that has something to say; raises NotOursError."""
    ours = Path(home, OURS)
    text = _text(ours)
    if text is not None and text.strip() and not text.startswith(MARK):
        raise NotOursError(_not_ours(ours))
    found = {}
    for name in THEIRS:
        path = Path(home, name)
        text = _text(path)
        told = None if text is None else sentence(str(path), text, closet)
        if told:
            found[str(path)] = told
    return found


def _not_ours(ours: Path) -> str:
    move = shlex.join(["mv", "-n", str(ours), str(ours.with_name("opencode.json"))])
    return (
        f"{ours} (of uid {ours.stat().st_uid}) holds settings of yours, and the closet's belong "
        "there. opencode reads opencode.json and opencode.jsonc just the same, and lets them win: "
        f"as {_account()}, run '{move}' (or bring the two together), then run this again. "
        "Nothing was changed."
    )


def _account() -> str:
    """Who reads these files: the module acts with the rights of their folder's owner."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _text(path: Path) -> str | None:
    """The text of a file, None where there is none that opencode could read."""
    try:
        data = read_linked(path)
    except OSError:
        return None
    return data[:LARGEST].decode(errors="replace")

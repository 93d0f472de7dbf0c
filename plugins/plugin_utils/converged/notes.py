# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workers of a run note for its end, in a file of this run.

Ansible runs each task in a process of its own, forked from the one in which the callback plugin
`converged` begins and ends the notes. Without that callback nothing is noted.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_file: Path | None = None


def begin() -> None:
    """Begin the notes of this process and of all that it forks."""
    global _file
    descriptor, name = tempfile.mkstemp(prefix="closet-notes-")
    os.close(descriptor)
    _file = Path(name)
    # of a run that ends before its end, such as with --list-tasks; workers end without atexit
    atexit.register(_file.unlink, missing_ok=True)


def note(kind: str, host: str, what: Any) -> None:
    """Add a note about a host; `what` is JSON."""
    if _file is None:
        return
    line = json.dumps([kind, host, what]).encode() + b"\n"
    with _file.open("ab") as notes:
        fcntl.flock(notes, fcntl.LOCK_EX)
        notes.write(line)


def end() -> Iterator[tuple[str, str, Any]]:
    """The notes as (kind, host, what), in their order; the file is gone then."""
    global _file
    if _file is None:
        return
    text = _file.read_text(encoding="utf-8")
    _file.unlink()
    _file = None
    for line in text.splitlines():
        kind, host, what = json.loads(line)
        yield kind, host, what

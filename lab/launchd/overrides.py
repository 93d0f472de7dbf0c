"""The override store: which labels are enabled or disabled, kept over reboots.

One flat plist per owner, `label -> bool`, true = disabled: disabled.plist for the system domain,
disabled.<uid>.plist for user/UID and gui/UID together (facts, section 1.6). No verb deletes an
entry. The file is read each time: other people (puppet does) write it directly.
"""

from __future__ import annotations

import os
import plistlib
from pathlib import Path
from xml.parsers.expat import ExpatError


def store(folder: Path, kind: str, number: int) -> Path:
    """Return the file that holds a domain's overrides."""
    return folder / ("disabled.plist" if kind == "system" else f"disabled.{number}.plist")


def read(path: Path) -> dict[str, bool]:
    """Return label -> disabled; a missing or broken file holds nothing."""
    try:
        raw = plistlib.loads(path.read_bytes())
    except (OSError, plistlib.InvalidFileException, ExpatError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    return {str(label): value for label, value in raw.items() if isinstance(value, bool)}


def write(path: Path, label: str, disabled: bool) -> None:
    """Record one label, atomically: a power cut leaves the old file or the new one."""
    entries = read(path) | {label: disabled}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(plistlib.dumps(entries))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)

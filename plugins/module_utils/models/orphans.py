# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cut-off downloads left on the disk, ours and those of other tools."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.plan import FileState, Have
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    MANIFEST_NAME,
    PART_SUFFIX,
)

# huggingface_hub from 1.18 on never picks up a part of an earlier process, and never removes it
INCOMPLETE_SUFFIX = ".incomplete"
# the working folders of huggingface_hub (local_dir) and of ModelScope inside a model's folder
FOREIGN_FOLDERS = (".cache/huggingface/", "._____temp/")
REMOVED_PREFIX = ".closet-removed."
ORPHAN = re.compile(r"\.[0-9a-f]{8}\.incomplete$")
QUIET_S = 3600.0  # a part that nobody wrote to for so long belongs to no running download

Orphans = list[tuple[str, int]]


def leftovers(folder: Path, states: Iterable[FileState], pending: bool) -> Orphans:
    """Orphans of downloads that nothing will continue: (path in the folder, bytes on the disk)."""
    alive: set[str] = set()
    for state in states:
        if state.have in {Have.STAGED, Have.PARTIAL}:
            alive.add(state.entry.path + PART_SUFFIX)
        if pending:
            alive.add(state.entry.path + JOURNAL_SUFFIX)
    found = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if name not in alive and _is_orphan(name):
            found.append((name, _on_disk(path)))
    return sorted(found)


def cache_leftovers(cache: Path | None, now: float) -> Orphans:
    """Orphaned parts in a hub cache that other tools fill: (absolute path, bytes on the disk).

    Only those that carry a process's own mark: older tools do go on from `<etag>.incomplete`.
    And somebody may be downloading right now, so only what has been quiet for an hour counts.
    """
    if cache is None:
        return []
    found = []
    for path in cache.glob(f"models--*/blobs/*{INCOMPLETE_SUFFIX}"):
        with contextlib.suppress(OSError):
            if ORPHAN.search(path.name) and now - path.lstat().st_mtime > QUIET_S:
                found.append((str(path), _on_disk(path)))
    return sorted(found)


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files of ours inside a model's folder, and folders that became empty by it."""
    for name in names:
        path = folder / name
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        parent = path.parent
        while parent != folder and parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent


def _is_orphan(name: str) -> bool:
    unfinished = name.endswith((PART_SUFFIX, JOURNAL_SUFFIX, INCOMPLETE_SUFFIX))
    return unfinished or name.startswith((f".{MANIFEST_NAME}.", *FOREIGN_FOLDERS))


def size_on_disk(folder: Path) -> int:
    """What a folder takes on the disk, hidden files included; links are not followed."""
    return sum(_on_disk(path) for path in _walk(folder))


def _on_disk(path: Path) -> int:
    return path.lstat().st_blocks * 512


def _walk(folder: Path) -> Iterator[Path]:
    for directory, _subfolders, names in os.walk(folder):
        yield from (Path(directory, name) for name in names)

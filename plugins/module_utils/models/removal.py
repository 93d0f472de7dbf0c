# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole models that are to go: listed first, removed only when confirmed, never while in use."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import sync_folder
from ansible_collections.closet.inference.plugins.module_utils.models.links import Served
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    MANIFEST_NAME,
    PART_SUFFIX,
    ModelError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.server import Loaded
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    FileState,
    Have,
    models_in,
)

# huggingface_hub from 1.18 on never picks up a part of an earlier process, and never removes it
INCOMPLETE_SUFFIX = ".incomplete"
# the working folders of huggingface_hub (local_dir) and of ModelScope inside a model's folder
FOREIGN_FOLDERS = (".cache/huggingface/", "._____temp/")
REMOVED_PREFIX = ".closet-removed."
ORPHAN = re.compile(r"\.[0-9a-f]{8}\.incomplete$")
QUIET_S = 3600.0  # a part that nobody wrote to for so long belongs to no running download

Orphans = list[tuple[str, int]]


@dataclass(frozen=True)
class Candidate:
    """A model that is to go: its folder, the served names that lead to it, bytes on the disk.

    `reason` says why it stays all the same; `loaded` is None when nobody could be asked.
    """

    repo: str
    folder: Path
    names: tuple[str, ...]
    size: int
    reason: str = ""
    loaded: bool | None = None


@dataclass(frozen=True)
class Removal:
    """`interrupted`: models whose removal a power cut interrupted; they had been confirmed."""

    candidates: tuple[Candidate, ...] = ()
    confirmed: bool = False
    interrupted: tuple[tuple[str, int], ...] = ()

    @property
    def going(self) -> tuple[Candidate, ...]:
        return tuple(one for one in self.candidates if not one.reason)

    @property
    def freed(self) -> int:
        return sum(one.size for one in self.going) if self.confirmed else 0

    @property
    def changes(self) -> bool:
        return bool(self.interrupted) or (self.confirmed and bool(self.going))


def plan_removal(
    store: Path,
    served: Served,
    goes: Callable[[str], bool],
    loaded: Callable[[], Loaded],
    confirmed: bool,
) -> Removal:
    """Observe the models for which `goes(owner/name)` holds; refuse what is not safe.

    Raises ModelError when a confirmed removal would touch a model that is loaded, or might be.
    """
    found = tuple(
        _candidate(store, served, repo) for repo, _folder in models_in(store) if goes(repo)
    )
    removal = Removal(found, confirmed, tuple(_interrupted(store)))
    if not removal.going:
        return removal
    told = loaded()
    known = [
        replace(one, loaded=None if told.unknown else told.holds(one.folder, one.names))
        for one in found
    ]
    removal = replace(removal, candidates=tuple(known))
    if confirmed:
        _refuse_unsafe(removal, told)
    return removal


def _refuse_unsafe(removal: Removal, told: Loaded) -> None:
    titles = ", ".join(one.repo for one in removal.going)
    if told.unknown:
        raise ModelError(
            f"nothing was removed: whether the server has {titles} loaded is not known, because "
            f"{told.unknown}. Start the server and run again, or say that it is stopped "
            "(server_stopped)."
        )
    busy = [one for one in removal.going if one.loaded]
    if busy:
        names = ", ".join(" and ".join(one.names) or one.repo for one in busy)
        raise ModelError(
            f"nothing was removed: the server has {names} loaded, and its files are not taken "
            "from under it. Unload it (POST /v1/models/<name>/unload) or wait until it is idle, "
            "and run again."
        )


def apply_removal(removal: Removal, store: Path, serve_dir: Path) -> None:
    """Links first, then each folder in one step out of sight, then its files."""
    for one in removal.going if removal.confirmed else ():
        for name in one.names:
            with contextlib.suppress(FileNotFoundError):
                (serve_dir / name).unlink()
        if one.names:
            sync_folder(serve_dir)
        hidden = one.folder.with_name(REMOVED_PREFIX + one.folder.name)
        _remove_tree(hidden)  # of an earlier removal that was cut off
        one.folder.rename(hidden)
        sync_folder(one.folder.parent)
        _remove_tree(hidden)
    for name, _size in removal.interrupted:
        _remove_tree(store / name)
    for owner in {one.folder.parent for one in removal.going if removal.confirmed}:
        with contextlib.suppress(OSError):  # not empty: other models live there
            owner.rmdir()


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)  # refuses a link, follows none inside


def _candidate(store: Path, served: Served, repo: str) -> Candidate:
    folder = store / repo
    names = tuple(sorted(name for name, linked in served.links.items() if linked == repo))
    size = 0 if folder.is_symlink() else size_on_disk(folder)
    return Candidate(repo, folder, names, size, _why_it_stays(store, served, folder))


def _why_it_stays(store: Path, served: Served, folder: Path) -> str:
    if folder.is_symlink() or folder.parent.is_symlink():
        return f"{folder} lies elsewhere ({os.path.realpath(folder)}), and a link leads there"
    for link in [*_links_in(store), *served.foreign_links]:
        real = Path(os.path.realpath(link))
        if folder.resolve() in (real, *real.parents):
            return f"{link} is a link to it, and not one of ours"
    return ""


def _links_in(store: Path) -> Iterator[Path]:
    """Links at the place of a model or an owner."""
    with contextlib.suppress(OSError):
        for owner in store.iterdir():
            if owner.is_symlink():
                yield owner
            elif owner.is_dir():
                yield from (entry for entry in owner.iterdir() if entry.is_symlink())


def _interrupted(store: Path) -> Orphans:
    found = sorted(store.glob(f"*/{REMOVED_PREFIX}*"))
    return [
        (path.relative_to(store).as_posix(), size_on_disk(path))
        for path in found
        if path.is_dir() and not path.is_symlink()
    ]


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


def remove_leftovers(folder: Path, found: Iterable[tuple[str, int]]) -> None:
    remove_files(folder, [name for name, _size in found])


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

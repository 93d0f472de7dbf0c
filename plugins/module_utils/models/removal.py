# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a run removes: whole models, and left-overs of interrupted downloads.

Whole models are listed first, and removed only after confirmation and never while they are loaded.
Left-overs (orphans) are removed in every run.
"""

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

# huggingface_hub from 1.18 on neither resumes nor removes a part of an earlier process
INCOMPLETE_SUFFIX = ".incomplete"
# the working folders of huggingface_hub (local_dir) and of ModelScope inside a model's folder
FOREIGN_FOLDERS = (".cache/huggingface/", "._____temp/")
REMOVED_PREFIX = ".closet-removed."
ORPHAN = re.compile(r"\.[0-9a-f]{8}\.incomplete$")
QUIET_S = 3600.0  # a part without writes for this long does not belong to a running download

Orphans = list[tuple[str, int]]


@dataclass(frozen=True)
class Candidate:
    """A model to remove: its folder, the served names that lead to it, bytes on the disk.

    `reason` says why it is kept nevertheless; `loaded` is None if the server did not answer.
    """

    repo: str
    folder: Path
    names: tuple[str, ...]
    size: int
    reason: str = ""
    loaded: bool | None = None


@dataclass(frozen=True)
class Removal:
    """`interrupted`: models whose removal, once confirmed, was interrupted by a power cut."""

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
    """Observe the models for which `goes(owner/name)` holds.

    Raises ModelError when a confirmed removal includes a model that is loaded, or may be.
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
            f"nothing was removed: it is unknown whether the server has {titles} loaded, because "
            f"{told.unknown}. Start the server and run again, or declare it stopped "
            "(server_stopped)."
        )
    busy = [one for one in removal.going if one.loaded]
    if busy:
        names = ", ".join(" and ".join(one.names) or one.repo for one in busy)
        raise ModelError(
            f"nothing was removed: the server has {names} loaded, and files of a loaded model are "
            "not removed. Unload it (POST /v1/models/<name>/unload) or wait until it is idle, and "
            "run again."
        )


def apply_removal(removal: Removal, store: Path, serve_dir: Path) -> None:
    """Remove the links, rename each folder to a hidden name in one step, then delete its files."""
    for one in removal.going if removal.confirmed else ():
        for name in one.names:
            with contextlib.suppress(FileNotFoundError):
                (serve_dir / name).unlink()
        if one.names:
            sync_folder(serve_dir)
        hidden = one.folder.with_name(REMOVED_PREFIX + one.folder.name)
        _remove_tree(hidden)  # left by an interrupted removal
        one.folder.rename(hidden)
        sync_folder(one.folder.parent)
        _remove_tree(hidden)
    for name, _size in removal.interrupted:
        _remove_tree(store / name)
    for owner in {one.folder.parent for one in removal.going if removal.confirmed}:
        with contextlib.suppress(OSError):  # not empty: it has other models
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
        return f"{folder} is stored at {os.path.realpath(folder)}, behind a link"
    for link in [*_links_in(store), *served.foreign_links]:
        real = Path(os.path.realpath(link))
        if folder.resolve() in (real, *real.parents):
            return f"the unmanaged link {link} leads to it"
    return ""


def _links_in(store: Path) -> Iterator[Path]:
    """Links in the place of a model or an owner."""
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
    """Orphans that no download will resume: (path in the folder, bytes on the disk)."""
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
    """Orphaned parts in a hub cache of other tools: (absolute path, bytes on the disk).

    Only parts with the mark of a process, since older tools resume `<etag>.incomplete`, and only
    those without a write for an hour, since another download may be running.
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
    """Remove files in a model's folder, and folders that become empty."""
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
    """Bytes of a folder on the disk, including hidden files; links are not followed."""
    return sum(_on_disk(path) for path in _walk(folder))


def _on_disk(path: Path) -> int:
    return path.lstat().st_blocks * 512


def _walk(folder: Path) -> Iterator[Path]:
    for directory, _subfolders, names in os.walk(folder):
        yield from (Path(directory, name) for name in names)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store, the folder that holds the models: which files are there, and the lock of a run.

observe_model() reads what the manifest vouches for; file_states() tells for each file of a commit
whether it is there, staged, partial or missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import read_linked
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    journal_path,
    part_path,
    step,
)
from ansible_collections.closet.inference.plugins.module_utils.models.journal import (
    Journal,
    parse_journal,
)
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    FileEntry,
    Manifest,
    read_manifest,
)
from ansible_collections.closet.inference.plugins.module_utils.models.progress import (
    describe_record,
    read_record,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.retry import Sleep

LOCK_NAME = ".closet.lock"
PROGRESS_NAME = ".closet.progress.json"
LOCK_WAIT_S = 30
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelState:
    """One repository in the store; `broken` are files of the manifest that failed the check."""

    manifest: Manifest | None
    broken: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.manifest is not None and not self.broken


class Have(Enum):
    """What the disk has of one file: all of it, all in `<final>.part`, a part, or nothing."""

    GOOD = "good"
    STAGED = "staged"
    PARTIAL = "partial"
    NOTHING = "nothing"


@dataclass(frozen=True)
class FileState:
    entry: FileEntry
    have: Have
    claimed: int = 0

    @property
    def missing(self) -> int:
        return 0 if self.have in {Have.GOOD, Have.STAGED} else self.entry.size - self.claimed


def progress_file(store: Path) -> Path:
    """The default path of the progress record."""
    return store / PROGRESS_NAME


def observe_model(folder: Path, repo: str, verify: str, connections: int) -> ModelState:
    """Read the manifest, and compare the files with it as thoroughly as `verify` says."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.repo != repo:
        return ModelState(None)
    files = manifest.files
    broken = [entry.path for entry in files if not _looks_right(folder, entry, verify)]
    if verify == "sha256":
        rest = [entry for entry in files if entry.path not in broken]
        broken += [entry.path for entry in _wrong_content(folder, rest, connections)]
    return ModelState(manifest, tuple(sorted(broken)))


def file_states(
    folder: Path, state: ModelState, entries: Sequence[FileEntry]
) -> tuple[FileState, ...]:
    """The state of each file; a file that the manifest does not cover is hashed once."""
    known = state.manifest.files if state.manifest else ()
    vouched = {entry for entry in known if entry.path not in state.broken}
    return tuple(
        FileState(entry, Have.GOOD)
        if entry in vouched
        else _unvouched(folder / entry.path, entry, entry.path in state.broken)
        for entry in entries
    )


def _unvouched(final: Path, entry: FileEntry, known_bad: bool) -> FileState:
    journal = read_journal(final, entry)
    if not known_bad and _file_size(final) == entry.size:
        moved = journal is not None and journal.verified and not part_path(final).exists()
        if moved or hash_file(final, entry) == entry.digest:
            return FileState(entry, Have.GOOD)
    part_size = _file_size(part_path(final))
    if journal is None or part_size is None:
        return FileState(entry, Have.NOTHING)
    if journal.verified and part_size == entry.size:
        return FileState(entry, Have.STAGED)
    return FileState(entry, Have.PARTIAL, min(journal.claimed, part_size))


def read_journal(final: Path, entry: FileEntry) -> Journal | None:
    path = journal_path(final)
    with step("reading the journal of a download", path):
        try:
            return parse_journal(read_linked(path), entry)
        except FileNotFoundError:
            return None


def hash_file(path: Path, entry: FileEntry) -> str:
    hasher = entry.hasher()
    buffer = memoryview(bytearray(READ_BYTES))
    with step("hashing a file", path), path.open("rb", buffering=0) as stream:
        while True:
            count = stream.readinto(buffer)
            if not count:
                return str(hasher.hexdigest())
            hasher.update(buffer[:count])


def models_in(store: Path) -> Iterator[tuple[str, Path]]:
    """Folders `<owner>/<name>` of the store."""
    for owner in _folders(store):
        for folder in _folders(owner):
            yield f"{owner.name}/{folder.name}", folder


@contextlib.contextmanager
def store_lock(store: Path, sleep: Sleep) -> Iterator[bool]:
    """Hold the lock of the store, for one run at a time. Yields whether it was free at once."""
    descriptor = _open_lock(store)
    try:
        free_at_once = _take(descriptor, store, sleep)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield free_at_once
    finally:
        os.close(descriptor)


def _open_lock(store: Path) -> int:
    path = store / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
    except OSError as error:
        raise ModelError(
            f"uid {os.geteuid()} cannot open {path}, the lock of the store: {error.strerror}. "
            f"Check its owner: `ls -ld {shlex.quote(str(path))}`"
        ) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise ModelError(
        f"{path}, the lock of the store, is not a regular file. As uid {os.geteuid()}, run "
        f"`rm {shlex.quote(str(path))}`"
    )


def lock_is_held(store: Path) -> bool:
    """Whether a run works on the store at this moment."""
    try:
        descriptor = os.open(store / LOCK_NAME, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take(descriptor: int, store: Path, sleep: Sleep) -> bool:
    for attempt in range(LOCK_WAIT_S + 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt < LOCK_WAIT_S:
                sleep(1.0)
        else:
            return attempt == 0
    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    far = describe_record(read_record(progress_file(store)))
    raise ModelError(
        f"another run is working on {store} (process {holder}{f', {far}' if far else ''}). Run "
        "again after it has ended; its downloads are reused."
    )


def _looks_right(folder: Path, entry: FileEntry, verify: str) -> bool:
    size = _file_size(folder / entry.path)
    return size is not None and (verify == "manifest" or size == entry.size)


def _wrong_content(folder: Path, entries: Sequence[FileEntry], connections: int) -> list[FileEntry]:
    """Entries whose file has another hash; hashlib lets several threads run at once."""
    workers = max(1, min(connections, os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        digests = list(pool.map(lambda entry: hash_file(folder / entry.path, entry), entries))
    return [entry for entry, digest in zip(entries, digests) if digest != entry.digest]


def _file_size(path: Path) -> int | None:
    with step("reading the size of a file", path):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _folders(parent: Path) -> list[Path]:
    try:
        found = [entry for entry in parent.iterdir() if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(entry for entry in found if entry.is_dir())

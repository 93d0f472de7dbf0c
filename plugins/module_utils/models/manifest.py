# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest beside a model's files: repository, commit, and size and hash of each file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.files import (
    read_linked,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.models.disk import step
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    MANIFEST_NAME,
    ModelError,
    check_tree_path,
    is_commit,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import is_whole

VERSION = 1
SHA256 = "sha256"
GIT_BLOB = "git"
DIGEST_LENGTH = {SHA256: 64, GIT_BLOB: 40}


@dataclass(frozen=True)
class FileEntry:
    """One file of a repository: path inside it, size in bytes, and the hash that names it."""

    path: str
    size: int
    algorithm: str
    digest: str

    def hasher(self) -> Any:
        """A new hash object; git hashes a header with the length before the bytes."""
        if self.algorithm == SHA256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


@dataclass(frozen=True)
class Manifest:
    """A complete model. It is written last, so its presence means that every file was verified."""

    repo: str
    requested: str
    revision: str
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.files)


def entry_problem(entry: FileEntry) -> str | None:
    """Why this entry is invalid, or None."""
    if entry.size < 0:
        return "a negative size"
    if len(entry.digest) != DIGEST_LENGTH.get(entry.algorithm):
        return "a hash of unknown kind"
    if set(entry.digest) - set("0123456789abcdef"):
        return "a hash that is not hexadecimal"
    return None


def format_manifest(manifest: Manifest) -> bytes:
    files = [
        {"path": entry.path, "size": entry.size, entry.algorithm: entry.digest}
        for entry in sorted(manifest.files, key=lambda entry: entry.path)
    ]
    record = {
        "version": VERSION,
        "repo": manifest.repo,
        "requested": manifest.requested,
        "revision": manifest.revision,
        "files": files,
    }
    return (json.dumps(record, indent=1) + "\n").encode()


def parse_manifest(text: bytes) -> Manifest | None:
    """The manifest, or None if it is invalid; the files are then verified."""
    try:
        record = json.loads(text)
        if record["version"] != VERSION or not is_commit(record["revision"]):
            return None
        files = tuple(_parse_entry(record["repo"], item) for item in record["files"])
        if not is_whole([entry.path for entry in files]):
            return None  # from an incomplete list of files: ask the hub again
        return Manifest(str(record["repo"]), str(record["requested"]), record["revision"], files)
    except (ValueError, KeyError, TypeError, ModelError):
        return None


def _parse_entry(repo: str, item: Mapping[str, Any]) -> FileEntry:
    algorithm = SHA256 if SHA256 in item else GIT_BLOB
    entry = FileEntry(item["path"], int(item["size"]), algorithm, item[algorithm])
    check_tree_path(repo, entry.path)
    if entry_problem(entry):
        raise ValueError(entry_problem(entry))
    return entry


def read_manifest(folder: Path) -> Manifest | None:
    path = folder / MANIFEST_NAME
    with step("reading the manifest of a model", path):
        try:
            return parse_manifest(read_linked(path))
        except (FileNotFoundError, NotADirectoryError):
            return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    path = folder / MANIFEST_NAME
    with step("writing the manifest of a model", path):
        write_atomic(path, format_manifest(manifest))

"""Contents that a test asks for: a text, or many gigabytes that take hardly any disk.

A large content is a sparse file, made once per cache, with a mark at the start of every MiB that
tells its place: a byte that ends up elsewhere changes the hash. A hollow one has neither marks nor
a true hash, so that it costs nothing: the hub tells its size, and nobody can pull it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.hub.repository import LFS_SIZE, Digest, RepoFile, digest_of
from lab.parts.cache import locked, read_json, write_json

MARK_EVERY = 1 << 20
LARGEST = 1 << 40


class ContentError(ValueError):
    """A test asked for something that cannot be made."""


def place(path: str, wanted: Any, blobs: Path, cache: Path) -> RepoFile:
    """The file of a repository at `path`.

    `wanted` is `{"text": …}`, `{"size": bytes, "seed": number}` or, hollow,
    `{"size": bytes, "hollow": true}`.
    """
    if not isinstance(wanted, Mapping):
        raise ContentError(f"{path}: a content is an object, or null to remove the file")
    if set(wanted) == {"text"} and isinstance(wanted["text"], str):
        return _text(path, wanted["text"].encode(), blobs)
    if set(wanted) == {"size", "hollow"} and wanted["hollow"] is True:
        return _hollow(path, int(wanted["size"]), blobs)
    if "size" in wanted and set(wanted) <= {"size", "seed"}:
        return _sparse(path, int(wanted["size"]), int(wanted.get("seed", 0)), cache)
    raise ContentError(
        f'{path}: a content is {{"text": …}}, {{"size": …, "seed": …}} or '
        '{"size": …, "hollow": true}'
    )


def _text(path: str, content: bytes, blobs: Path) -> RepoFile:
    blobs.mkdir(parents=True, exist_ok=True)
    source = blobs / hashlib.sha256(content).hexdigest()
    if not source.exists():
        source.write_bytes(content)
    return RepoFile(path, source, len(content), digest_of(source, len(content)))


def _hollow(path: str, size: int, blobs: Path) -> RepoFile:
    _check_size(path, size)
    blobs.mkdir(parents=True, exist_ok=True)
    source = blobs / f"hollow-{size}"
    with source.open("wb") as handle:
        handle.truncate(size)
    # of the name, not of the bytes: hashing so many zeros takes minutes
    name = source.name.encode()
    digest = Digest(hashlib.sha256(name).hexdigest(), hashlib.sha1(name).hexdigest())
    return RepoFile(path, source, size, digest)


def _check_size(path: str, size: int) -> None:
    if not 0 < size <= LARGEST:
        raise ContentError(f"{path}: {size} is no size between 1 and {LARGEST}")


def _sparse(path: str, size: int, seed: int, cache: Path) -> RepoFile:
    _check_size(path, size)
    folder = cache / "sparse"
    source = folder / f"{size}-{seed}"
    with locked(cache, "sparse"):
        known = read_json(source.with_suffix(".json"))
        if not source.exists() or not known:
            folder.mkdir(parents=True, exist_ok=True)
            known = _make(source, size, seed)
            write_json(source.with_suffix(".json"), known)
    return RepoFile(path, source, size, Digest(known["sha256"], known["git_sha1"]))


def _make(source: Path, size: int, seed: int) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(dir=source.parent, delete=False) as handle:
        handle.truncate(size)
        for offset in range(0, size, MARK_EVERY):
            handle.seek(offset)
            handle.write(f"{seed}:{offset};".encode()[: size - offset])
    made = Path(handle.name)
    digest = digest_of(made, size) if size < LFS_SIZE else _lfs_digest(made, size)
    made.chmod(0o644)
    made.replace(source)
    return {"sha256": digest.sha256, "git_sha1": digest.git_sha1}


def _lfs_digest(path: Path, size: int) -> Digest:
    """As `digest_of`, at half the price: what git itself keeps of a file in LFS is its pointer."""
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    git_sha1 = hashlib.sha1(f"blob {len(pointer)}\0{pointer}".encode()).hexdigest()
    return Digest(sha256, git_sha1)

"""A model repository on disk, seen the way the Hugging Face hub describes it.

`<root>/<owner>/<name>/…` is one repository whose working tree is the branch main. Object ids are
the real ones: sha256 for what the hub keeps in LFS, git's blob sha1 for the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path

#: what a model repository's .gitattributes sends to LFS, plus anything git would choke on
LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".npz", ".onnx", ".pt")
LFS_NAMES = ("tokenizer.json",)
LFS_SIZE = 10 << 20
MAIN = "main"
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
READ_SIZE = 4 << 20


@dataclass(frozen=True)
class Digest:
    """The hashes of one file."""

    sha256: str
    git_sha1: str


@dataclass(frozen=True)
class RepoFile:
    """One file of a repository; `path` is relative and with slashes, `size` in bytes."""

    path: str
    source: Path
    size: int
    digest: Digest

    @property
    def is_lfs(self) -> bool:
        """Whether the hub would keep it in LFS."""
        name = self.path.rsplit("/", 1)[-1]
        return name in LFS_NAMES or name.endswith(LFS_SUFFIXES) or self.size >= LFS_SIZE

    @property
    def etag(self) -> str:
        """What the hub calls this content; huggingface_hub names its blob files so."""
        return self.digest.sha256 if self.is_lfs else self.digest.git_sha1


@dataclass(frozen=True)
class Snapshot:
    """All files of a repository at one moment, and the commit that stands for them."""

    repo: str
    files: tuple[RepoFile, ...]

    @property
    def commit(self) -> str:
        """40 hex digits that depend on nothing but names and contents."""
        tree = [[file.path, file.size, file.digest.sha256] for file in self.files]
        return hashlib.sha1(json.dumps(tree).encode()).hexdigest()

    def find(self, path: str) -> RepoFile | None:
        """The file at `path`."""
        return next((file for file in self.files if file.path == path), None)


class Repositories:
    """The repositories under one root; each file is hashed once and again when it changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests: dict[tuple[str, int, int], Digest] = {}
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """Every `owner/name` there is."""
        found = (path.relative_to(self.root).as_posix() for path in self.root.glob("*/*"))
        return tuple(sorted(name for name in found if REPO_ID.fullmatch(name)))

    def snapshot(self, repo: str) -> Snapshot | None:
        """What is there now under the name `repo`."""
        folder = self.root / repo
        if not REPO_ID.fullmatch(repo) or not folder.is_dir():
            return None
        files = []
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                relative = path.relative_to(folder).as_posix()
                files.append(RepoFile(relative, path, path.stat().st_size, self._digest(path)))
        return Snapshot(repo, tuple(files))

    def _digest(self, path: Path) -> Digest:
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        # one at a time: two clients asking for the same new file must not hash it twice
        with self._lock:
            if key not in self._digests:
                self._digests[key] = digest_of(path, status.st_size)
            return self._digests[key]


def digest_of(path: Path, size: int) -> Digest:
    """Read a file once for both of its names."""
    sha256 = hashlib.sha256()
    git_sha1 = hashlib.sha1(b"blob %d\0" % size)
    with path.open("rb") as handle:
        while block := handle.read(READ_SIZE):
            sha256.update(block)
            git_sha1.update(block)
    return Digest(sha256.hexdigest(), git_sha1.hexdigest())

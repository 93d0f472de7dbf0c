"""What the hub holds over time: commits, branches, tags, and who may read what.

A repository that no test has touched is its working tree at the branch main. Everything that a
test adds is written down in one file of the hub's own state, so that it survives a killed hub.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.hub.repository import MAIN, REPO_ID, Digest, RepoFile, Repositories, Snapshot
from lab.parts.cache import read_json, write_json

FILE = "history.json"
GATES = ("", "auto", "manual")


class HistoryError(ValueError):
    """A test asked for something that does not go together."""


@dataclass(frozen=True)
class Commit(Snapshot):
    """A snapshot that knows what it was made from; without a parent it is a working tree."""

    parent: str | None = None

    @property
    def commit(self) -> str:
        """Another one for the same files when they come back later."""
        bare = Snapshot(self.repo, self.files).commit
        if self.parent is None:
            return bare
        return hashlib.sha1(f"{self.parent}\n{bare}".encode()).hexdigest()


@dataclass
class Record:
    """One repository as the tests made it: ids of commits by branch and tag, and the gate."""

    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    gated: str = ""
    private: bool = False


class History:
    """All repositories: the working trees under `working`, and what tests made of them."""

    def __init__(self, working: Repositories, state: Path) -> None:
        self.blobs = state / "blobs"
        self._working = working
        self._state = state
        self._lock = threading.RLock()
        saved = read_json(state / FILE)
        self._records = {
            repo: _read_record(repo, item) for repo, item in saved.get("repositories", {}).items()
        }
        #: which repositories (patterns) a token may read; none known: any token will do
        self.accounts: dict[str, list[str]] = saved.get("accounts", {})

    def names(self) -> tuple[str, ...]:
        """Every `owner/name` that is not private."""
        with self._lock:
            hidden = {repo for repo, record in self._records.items() if record.private}
            return tuple(sorted({*self._working.names(), *self._records} - hidden))

    def record(self, repo: str) -> Record | None:
        """A repository with its history, which is one commit long where no test added to it."""
        with self._lock:
            known = self._records.get(repo)
            if known is not None:
                return known
            snapshot = self._working.snapshot(repo)
            if snapshot is None:
                return None
            commit = Commit(repo, snapshot.files)
            return Record({commit.commit: commit}, {MAIN: commit.commit})

    def snapshot(self, repo: str, revision: str) -> Commit | None:
        """The files at a branch, a tag or a commit."""
        record = self.record(repo)
        if record is None:
            return None
        name = revision or MAIN
        sha = record.branches.get(name) or record.tags.get(name) or name
        return record.commits.get(sha)

    def publish(self, repo: str, branch: str, files: Mapping[str, RepoFile | None]) -> str:
        """One more commit on a branch, which is made when it is new; None removes a file."""
        if not REPO_ID.fullmatch(repo):
            raise HistoryError(f"{repo!r} is not a repository: owner/name")
        with self._lock:
            record = self.record(repo) or Record()
            parent = record.branches.get(branch) or record.branches.get(MAIN)
            before = record.commits[parent].files if parent else ()
            merged = {**{file.path: file for file in before}, **files}
            kept = tuple(merged[path] for path in sorted(merged) if merged[path] is not None)
            commit = Commit(repo, tuple(file for file in kept if file), parent)
            record.commits[commit.commit] = commit
            record.branches[branch] = commit.commit
            self._keep(repo, record)
            return commit.commit

    def point(self, repo: str, name: str, revision: str, *, tag: bool) -> str:
        """Move (or make) a branch or a tag; the commit that it stands for now."""
        with self._lock:
            record = self.record(repo)
            commit = self.snapshot(repo, revision)
            if record is None or commit is None:
                raise HistoryError(f"{repo} has no revision {revision!r}")
            (record.tags if tag else record.branches)[name] = commit.commit
            self._keep(repo, record)
            return commit.commit

    def gate(self, repo: str, *, gated: str, private: bool) -> None:
        """Close or open a repository."""
        if gated not in GATES:
            raise HistoryError(f"gated is one of {', '.join(map(repr, GATES))}")
        with self._lock:
            record = self.record(repo)
            if record is None:
                raise HistoryError(f"there is no {repo}")
            record.gated, record.private = gated, private
            self._keep(repo, record)

    def admit(self, token: str, repos: Sequence[str]) -> None:
        """Make an account; from now on only accounts have tokens that count."""
        with self._lock:
            self.accounts[token] = [str(pattern) for pattern in repos]
            self._save()

    def forget(self) -> int:
        """Back to the working trees; how many repositories tests had touched."""
        with self._lock:
            touched = len(self._records)
            self._records.clear()
            self.accounts.clear()
            self._save()
            return touched

    def _keep(self, repo: str, record: Record) -> None:
        self._records[repo] = record
        self._save()

    def _save(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        repositories = {repo: _write_record(record) for repo, record in self._records.items()}
        write_json(
            self._state / FILE, {"repositories": repositories, "accounts": dict(self.accounts)}
        )


def _write_record(record: Record) -> dict[str, Any]:
    commits = {
        sha: {"parent": commit.parent, "files": [_write_file(file) for file in commit.files]}
        for sha, commit in record.commits.items()
    }
    return {**vars(record), "commits": commits}


def _write_file(file: RepoFile) -> dict[str, Any]:
    return {"path": file.path, "source": str(file.source), "size": file.size, **asdict(file.digest)}


def _read_record(repo: str, saved: Mapping[str, Any]) -> Record:
    commits = {
        sha: Commit(repo, tuple(_read_file(file) for file in item["files"]), item["parent"])
        for sha, item in saved["commits"].items()
    }
    return Record(**{**saved, "commits": commits})


def _read_file(saved: Mapping[str, Any]) -> RepoFile:
    digest = Digest(saved["sha256"], saved["git_sha1"])
    return RepoFile(saved["path"], Path(saved["source"]), saved["size"], digest)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A requested model: repository, revision and served name, checked strictly before any request."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

COMMIT = re.compile(r"[0-9a-f]{40}")
# huggingface_hub's validate_repo_id: letters, digits, - _ . ; no -- or .. ; 96 characters
REPO_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
SERVED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")

MANIFEST_NAME = ".closet.json"
PART_SUFFIX = ".part"
JOURNAL_SUFFIX = ".part.journal"


class ModelError(Exception):
    """An error for the user, as a whole sentence. It never contains a token."""


class FlawError(ModelError):
    """An error in one published repository; the run continues with the other models."""


@dataclass(frozen=True)
class ModelWant:
    """One requested model of a host."""

    repo: str
    revision: str
    name: str

    @property
    def title(self) -> str:
        return f"{self.name} ({self.repo}@{self.revision})"


def is_commit(revision: str) -> bool:
    return COMMIT.fullmatch(revision) is not None


def check_repo(repo: str) -> None:
    """Refuse an invalid name of a repository, before any request."""
    parts = repo.split("/")
    problem = None
    if len(parts) != 2 or not all(REPO_PART.fullmatch(part) for part in parts):
        problem = "it must have the form owner/name, with letters, digits, '-', '_' and '.'"
    elif "--" in repo or ".." in repo:
        problem = "it must not contain '--' or '..'"
    elif len(repo) > 96:
        problem = "it is longer than 96 characters"
    elif repo.endswith((".git", "-", ".")) or parts[0].endswith(("-", ".")):
        problem = "neither part may end in '-' or '.', nor the name in '.git'"
    if problem:
        raise ModelError(f"{repo!r} is not a model repository: {problem}.")


def check_revision(repo: str, revision: str) -> None:
    if not REVISION.fullmatch(revision) or ".." in revision or revision.endswith("/"):
        raise ModelError(
            f"{revision!r} is not a revision of {repo}: set a commit (40 hexadecimal digits), "
            "a branch or a tag."
        )


def check_name(name: str, repo: str) -> None:
    """A served name becomes a folder entry that omlx reads; see its model_discovery.py."""
    if not SERVED_NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} cannot be the served name of {repo}: use letters, digits, '-', '_' and '.', "
            "with a letter, a digit or '_' first."
        )
    if name.startswith("models--"):
        raise ModelError(
            f"{name!r} cannot be the served name of {repo}: omlx interprets 'models--…' as a cache "
            "of the hub and would list it under another name."
        )


def read_wants(entries: Iterable[Mapping[str, object]]) -> tuple[ModelWant, ...]:
    """The requested models, each checked alone and against the others."""
    wants = tuple(_read_want(entry) for entry in entries)
    # macOS volumes fold case, and so does omlx when it looks up a model by name
    for first, second in _duplicates([(want.repo.casefold(), want) for want in wants]):
        if first.revision != second.revision:
            raise ModelError(
                f"{first.repo} is listed with two revisions, {first.revision} and "
                f"{second.revision}; a host keeps one. Remove one of them."
            )
        raise ModelError(
            f"{first.repo} is listed twice, as {first.name} and as {second.name}; a host serves a "
            "repository under one name. Remove one of them."
        )
    for first, second in _duplicates([(want.name.casefold(), want) for want in wants]):
        raise ModelError(
            f"{first.title} and {second.title} would be served under one name, and omlx shows only "
            "the first of two such models. Set another name for one of them."
        )
    return wants


def _read_want(entry: Mapping[str, object]) -> ModelWant:
    repo = str(entry.get("repo") or "")
    revision = str(entry.get("revision") or "main")
    check_repo(repo)
    check_revision(repo, revision)
    name = str(entry.get("name") or repo.partition("/")[2])  # omlx's own id of such a folder
    check_name(name, repo)
    return ModelWant(repo=repo, revision=revision, name=name)


def _duplicates(keyed: Sequence[tuple[str, ModelWant]]) -> Iterator[tuple[ModelWant, ModelWant]]:
    seen: dict[str, ModelWant] = {}
    for key, want in keyed:
        if key in seen:
            yield seen[key], want
        seen[key] = want


def check_tree_path(repo: str, path: str) -> None:
    """Refuse a path that leads out of the model's folder: the hub names the files we write."""
    pieces = path.split("/")
    inside = all(piece not in {"", ".", ".."} for piece in pieces)
    printable = not any(unicodedata.category(character) == "Cc" for character in path)
    if not inside or not printable or "\\" in path:
        raise FlawError(f"{repo} lists a file with an unsafe path, {path!r}; nothing was fetched.")
    folded = fold(path)
    if folded.endswith((PART_SUFFIX, JOURNAL_SUFFIX)) or folded.partition("/")[0] == MANIFEST_NAME:
        raise FlawError(f"{repo} lists {path!r}, a name that is reserved for running downloads.")


def fold(name: str) -> str:
    """Equal for names that are one on a Mac's disk: canonical caseless matching (Unicode D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())

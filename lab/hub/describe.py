"""What the hub says about a repository: information, the file tree, branches, commits."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab.hub.history import Record
from lab.hub.repository import RepoFile, Snapshot
from lab.hub.safetensors import parameters


def model_info(
    snapshot: Snapshot, *, blobs: bool, gated: str = "", private: bool = False
) -> dict[str, Any]:
    """What the hub tells about a repository; sizes only when asked for, as there."""
    siblings: list[dict[str, Any]] = []
    for file in snapshot.files:
        sibling: dict[str, Any] = {"rfilename": file.path}
        if blobs:
            sibling |= {"size": file.size, "blobId": file.digest.git_sha1}
            if file.is_lfs:
                sibling["lfs"] = lfs_pointer(file, key="sha256")
        siblings.append(sibling)
    info = {
        "_id": snapshot.commit[:24],
        "id": snapshot.repo,
        "modelId": snapshot.repo,
        "author": snapshot.repo.split("/", 1)[0],
        "sha": snapshot.commit,
        "private": private,
        "gated": gated or False,
        "disabled": False,
        "library_name": "mlx",
        "tags": ["mlx", "safetensors"],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
        "usedStorage": sum(file.size for file in snapshot.files),
    }
    counts = parameter_counts(snapshot)
    if counts:
        info["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
    return info


def parameter_counts(snapshot: Snapshot) -> dict[str, int]:
    """Parameters by type over all shards; omlx leaves out `*.bin` when it sees them."""
    counts: Counter[str] = Counter()
    for file in snapshot.files:
        if file.path.endswith(".safetensors"):
            counts.update(parameters(file.source))
    return dict(counts)


def lfs_pointer(file: RepoFile, *, key: str) -> dict[str, Any]:
    """The LFS part of a description; info and tree name the digest differently."""
    return {key: file.digest.sha256, "size": file.size, "pointerSize": 134}


def tree_entries(snapshot: Snapshot, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Files and folders below `folder`, in name order."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for file in snapshot.files:
        if not file.path.startswith(prefix):
            continue
        parts = file.path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            entries[name] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
        if recursive or len(parts) == 1:
            entry: dict[str, Any] = {"type": "file", "path": file.path, "size": file.size}
            entry["oid"] = file.digest.git_sha1
            if file.is_lfs:
                entry["lfs"] = lfs_pointer(file, key="oid")
            entries[file.path] = entry
    return [entries[name] for name in sorted(entries)]


def refs(record: Record) -> dict[str, Any]:
    """Branches and tags, as `list_repo_refs` reads them."""
    kinds = (("branches", "heads", record.branches), ("tags", "tags", record.tags))
    return {
        "converts": [],
        **{
            kind: [
                {"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": commit}
                for name, commit in sorted(known.items())
            ]
            for kind, folder, known in kinds
        },
    }


def commits(record: Record, newest: str) -> list[dict[str, Any]]:
    """The history of a commit, newest first."""
    found = []
    commit = record.commits.get(newest)
    while commit is not None:
        found.append({"id": commit.commit, "title": "", "message": "", "authors": []})
        commit = record.commits.get(commit.parent or "")
    return found

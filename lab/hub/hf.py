"""The Hugging Face hub's read protocol over a folder of repositories.

Model info, revisions, the file tree with paging, and files with ranges: what `snapshot_download`
calls, with the headers it cannot do without. Everything a test controls is under `/_lab/`.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lab.hub.faults import Asked, Fault, Faults, fault_from
from lab.hub.repository import MAIN, RepoFile, Repositories, Snapshot
from lab.hub.safetensors import parameters
from lab.hub.web import Journal, WebHandler, WebServer

PAGE_SIZE = 1000
CONTROL = "/_lab/"
INFO = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?")
RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class HubServer(WebServer):
    """The hub of one folder."""

    def __init__(
        self, address: tuple[str, int], repositories: Repositories, journal: Journal
    ) -> None:
        self.repositories = repositories
        self.faults = Faults()
        super().__init__(address, HubHandler, "hub", journal)


class HubHandler(WebHandler):
    """One connection to the hub."""

    server: HubServer

    def answer(self) -> None:
        """Find the route; percent-encoded names are decoded after the split at slashes."""
        path = urlsplit(self.path).path
        if path.startswith(CONTROL):
            return self._control(path.removeprefix(CONTROL))
        if self.command not in ("GET", "HEAD"):
            self.read_body()
            return self._refuse(HTTPStatus.NOT_FOUND, None, "this hub is read only")
        for pattern, route in ((TREE, self._tree), (INFO, self._info), (RESOLVE, self._resolve)):
            if match := pattern.fullmatch(path):
                return route(*(unquote(group or "") for group in match.groups()))
        if path == "/api/models":
            return self._search()
        return self._refuse(HTTPStatus.NOT_FOUND, None, "Not Found")

    @property
    def token(self) -> str | None:
        """The bearer token of the request."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None

    def _refuse(
        self, status: int, code: str | None, message: str, retry_after_s: int | None = None
    ) -> None:
        """An error the way the hub words it: clients read X-Error-Code."""
        headers = [("X-Error-Message", message)]
        if code:
            headers.append(("X-Error-Code", code))
        if retry_after_s is not None:
            headers.append(("Retry-After", str(retry_after_s)))
        self.send_json({"error": message}, status, headers)

    def _meet(self, route: str, repo: str, path: str = "") -> tuple[bool, Fault | None]:
        """Apply what a test asked for: (whether the request is over, the fault for the body)."""
        fault = self.server.faults.take(Asked(route, self.command, repo, path, self.token))
        if fault is None:
            return False, None
        time.sleep(fault.delay_s)
        if fault.status is None:
            return False, fault
        message = f"asked for by the test: {fault.status}"
        self._refuse(fault.status, fault.error_code, message, fault.retry_after_s)
        return True, fault

    def _snapshot(self, repo: str, revision: str) -> Snapshot | None:
        """The repository at a revision, or None after the refusal was sent."""
        snapshot = self.server.repositories.snapshot(repo)
        if snapshot is None:
            # the real hub does not tell strangers what exists: without a token it says 401
            status = HTTPStatus.NOT_FOUND if self.token else HTTPStatus.UNAUTHORIZED
            message = "Repository not found" if self.token else "Invalid username or password."
            self._refuse(status, "RepoNotFound", message)
            return None
        if revision not in ("", MAIN, snapshot.commit):
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")
            return None
        return snapshot

    def _info(self, repo: str, revision: str) -> None:
        """`GET /api/models/<repo>[/revision/<revision>]`."""
        over, _ = self._meet("info", repo)
        if over:
            return
        snapshot = self._snapshot(repo, revision)
        if snapshot is not None:
            blobs = parse_qs(urlsplit(self.path).query).get("blobs", [""])[0].lower() == "true"
            self.send_json(model_info(snapshot, blobs=blobs))

    def _tree(self, repo: str, revision: str, folder: str) -> None:
        """`GET /api/models/<repo>/tree/<revision>[/<folder>]`, in pages linked by `next`."""
        over, _ = self._meet("tree", repo)
        snapshot = None if over else self._snapshot(repo, revision)
        if snapshot is None:
            return None
        query = parse_qs(urlsplit(self.path).query)
        recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = tree_entries(snapshot, folder.strip("/"), recursive=recursive)
        if folder and not entries:
            message = f"{folder} does not exist on {revision}"
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", message)
        start = int(query.get("cursor", ["0"])[0])
        limit = max(1, int(query.get("limit", [str(PAGE_SIZE)])[0]))
        headers = []
        if start + limit < len(entries):
            path = urlsplit(self.path).path
            host = self.headers.get("Host") or "{}:{}".format(*self.server.server_address[:2])
            following = f"recursive={str(recursive).lower()}&limit={limit}&cursor={start + limit}"
            headers.append(("Link", f'<http://{host}{path}?{following}>; rel="next"'))
        return self.send_json(entries[start : start + limit], headers=headers)

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        """`HEAD` or `GET /<repo>/resolve/<revision>/<path>`."""
        over, fault = self._meet("resolve", repo, path)
        snapshot = None if over else self._snapshot(repo, revision)
        if snapshot is None:
            return None
        file = snapshot.find(path)
        if file is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
        headers = [("ETag", f'"{file.etag}"'), ("X-Repo-Commit", snapshot.commit)]
        if file.is_lfs:
            headers.append(("X-Linked-Size", str(file.size)))
            headers.append(("X-Linked-Etag", f'"{file.etag}"'))
        return self.send_file(file.source, headers, fault)

    def _search(self) -> None:
        """`GET /api/models?search=…`: the repositories whose names hold the words."""
        wanted = parse_qs(urlsplit(self.path).query).get("search", [""])[0].lower()
        names = (name for name in self.server.repositories.names() if wanted in name.lower())
        self.send_json([{"id": name, "modelId": name, "private": False} for name in names])

    def _control(self, what: str) -> None:
        """`/_lab/health` and `/_lab/faults[/<number>]`: GET lists, POST adds, DELETE clears."""
        body = self.read_body()
        name, _, number = what.partition("/")
        if what == "health":
            return self.send_json({"status": "ok"})
        if name != "faults" or (number and not number.isdecimal()):
            return self.send_json({"error": f"no such control: {what}"}, HTTPStatus.NOT_FOUND)
        if self.command == "POST":
            try:
                fault = fault_from(json.loads(body or b"{}"))
            except (TypeError, ValueError) as problem:
                return self.send_json({"error": str(problem)}, HTTPStatus.BAD_REQUEST)
            return self.send_json({"id": self.server.faults.add(fault)}, HTTPStatus.CREATED)
        if self.command == "DELETE":
            cleared = self.server.faults.clear(int(number) if number else None)
            return self.send_json({"cleared": cleared})
        return self.send_json(self.server.faults.listing())


def model_info(snapshot: Snapshot, *, blobs: bool) -> dict[str, Any]:
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
        "private": False,
        "gated": False,
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

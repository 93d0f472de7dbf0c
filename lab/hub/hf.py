"""The Hugging Face hub's read protocol over a folder of repositories.

Model info, revisions, the file tree with paging, and files with ranges: what `snapshot_download`
calls, with the headers it cannot do without. A small file is redirected to the hub's own cache, a
big one to a second origin, as there. Everything a test controls is under `/_lab/`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from lab.hub.control import Control
from lab.hub.describe import commits, model_info, refs, tree_entries
from lab.hub.faults import Asked, Fault, Faults
from lab.hub.history import Commit, History, Record
from lab.hub.repository import RepoFile
from lab.hub.served import Served
from lab.hub.storage import signed_path, storage_origin
from lab.hub.web import Journal, WebHandler, WebServer

PAGE_SIZE = 1000
CONTROL = "/_lab/"
#: the hub answers below it too, as a repository manager does that mirrors it
BELOW = re.compile(r"/artifactory/api/huggingfaceml/[^/]+(?=/)")
CACHED = "/api/resolve-cache/models/"
INFO = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
TREE = re.compile(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?")
REFS = re.compile(r"/api/models/([^/]+/[^/]+)/(refs)")
COMMITS = re.compile(r"/api/models/([^/]+/[^/]+)/commits/(.+)")
RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
RESOLVE_CACHE = re.compile(r"/api/resolve-cache/models/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)")


class HubServer(WebServer):
    """The hub of one folder. `storage_port` is where its redirects for big files lead."""

    def __init__(
        self,
        address: tuple[str, int],
        history: History,
        served: Served,
        faults: Faults,
        cache: Path,
        journal: Journal,
    ) -> None:
        self.history = history
        self.served = served
        self.faults = faults
        self.control = Control(faults, history, served, cache)
        self.storage_port = 0
        super().__init__(address, HubHandler, "hub", journal)


class HubHandler(WebHandler):
    """One connection to the hub."""

    server: HubServer
    prefix = ""

    def answer(self) -> None:
        """Find the route; percent-encoded names are decoded after the split at slashes."""
        below = BELOW.match(self.path)
        self.prefix = below[0] if below else ""
        self.path = self.path.removeprefix(self.prefix)
        path = urlsplit(self.path).path
        if path.startswith(CONTROL):
            found = self.server.control.answer(
                self.command, path.removeprefix(CONTROL), self.read_body()
            )
            return self.send_json(*found)
        if self.command not in ("GET", "HEAD"):
            self.read_body()
            return self._refuse(HTTPStatus.NOT_FOUND, None, "this hub is read only")
        routes = (
            (TREE, self._tree),
            (REFS, self._refs),
            (COMMITS, self._commits),
            (RESOLVE_CACHE, self._resolve_cache),
            (INFO, self._info),
            (RESOLVE, self._resolve),
        )
        for pattern, route in routes:
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
        self,
        status: int,
        code: str | None,
        message: str,
        retry_after_s: int | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """An error the way the hub words it: clients read X-Error-Code."""
        headers = [("X-Error-Message", message), *(more or {}).items()]
        if code:
            headers.append(("X-Error-Code", code))
        if retry_after_s is not None:
            headers.append(("Retry-After", str(retry_after_s)))
        self.send_json({"error": message}, status, headers)

    def _meet(
        self, route: str, repo: str, path: str = "", *, has_body: bool = True
    ) -> tuple[bool, Fault]:
        """Apply what a test asked for: (whether the request is over, the fault for the body)."""
        asked = Asked(route, self.command, repo, path, self.token, has_body)
        fault = self.server.faults.take(asked) or Fault()
        time.sleep(fault.delay_s)
        if fault.page is not None:
            self.send_bytes(fault.page.encode(), "text/html; charset=utf-8")
        elif fault.status is not None:
            message = f"asked for by the test: {fault.status}"
            self._refuse(
                fault.status, fault.error_code, message, fault.retry_after_s, fault.headers
            )
        return fault.is_answer, fault

    def _known(self, repo: str, *, content: bool) -> Record | None:
        """The repository, or None after the refusal was sent; gates are before contents only."""
        history, token = self.server.history, self.token
        if token and history.accounts and token not in history.accounts:
            # whatever is asked for, public repositories included
            message = "Invalid credentials in Authorization header"
            self._refuse(HTTPStatus.UNAUTHORIZED, None, message)
            return None
        admitted = any(fnmatchcase(repo, each) for each in history.accounts.get(token or "", ()))
        record = history.record(repo)
        if record is None or (record.private and not admitted):
            # the real hub does not tell strangers what exists: without a token it says 401
            status = HTTPStatus.NOT_FOUND if token else HTTPStatus.UNAUTHORIZED
            message = "Repository not found" if token else "Invalid username or password."
            self._refuse(status, "RepoNotFound", message)
            return None
        if content and record.gated and not admitted:
            self._refuse_at_the_gate(repo)
            return None
        return record

    def _refuse_at_the_gate(self, repo: str) -> None:
        restricted = f"Access to model {repo} is restricted"
        if self.token is None:
            message = (
                f"{restricted}. You must have access to it and be authenticated to access it. "
                "Please log in."
            )
            return self._refuse(HTTPStatus.UNAUTHORIZED, "GatedRepo", message)
        message = f"{restricted} and you are not in the authorized list."
        return self._refuse(HTTPStatus.FORBIDDEN, "GatedRepo", message)

    def _snapshot(self, repo: str, revision: str, *, content: bool = False) -> Commit | None:
        """The repository at a revision, or None after the refusal was sent."""
        if self._known(repo, content=content) is None:
            return None
        snapshot = self.server.history.snapshot(repo, revision)
        if snapshot is None:
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")
        return snapshot

    def _info(self, repo: str, revision: str) -> None:
        """`GET /api/models/<repo>[/revision/<revision>]`."""
        over, _ = self._meet("info", repo)
        snapshot = None if over else self._snapshot(repo, revision)
        record = self.server.history.record(repo) if snapshot else None
        if snapshot is None or record is None:
            return
        blobs = parse_qs(urlsplit(self.path).query).get("blobs", [""])[0].lower() == "true"
        self.send_json(
            model_info(snapshot, blobs=blobs, gated=record.gated, private=record.private)
        )

    def _tree(self, repo: str, revision: str, folder: str) -> None:
        """`GET /api/models/<repo>/tree/<revision>[/<folder>]`, in pages linked by `next`."""
        over, fault = self._meet("tree", repo)
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
        limit = int(query.get("limit", [str(PAGE_SIZE)])[0])
        headers = []
        if start + limit < len(entries):
            path = urlsplit(self.path).path
            following = f"recursive={str(recursive).lower()}&limit={limit}&cursor={start + limit}"
            headers.append(("Link", self._next_link(f"{path}?{following}", fault)))
        return self.send_json(entries[start : start + limit], headers=headers)

    def _next_link(self, path: str, fault: Fault) -> str:
        words = (fault.headers or {}).get("Link", '<{url}>; rel="next"')
        below = f"{self.prefix}{path}"
        for place, value in (
            ("{url}", f"http://{self._host}{below}"),
            ("{below}", below),
            ("{path}", path),
        ):
            words = words.replace(place, value)
        return words

    def _refs(self, repo: str, _word: str) -> None:
        """`GET /api/models/<repo>/refs`."""
        record = self._known(repo, content=False)
        if record is not None:
            self.send_json(refs(record))

    def _commits(self, repo: str, revision: str) -> None:
        """`GET /api/models/<repo>/commits/<revision>`."""
        snapshot = self._snapshot(repo, revision)
        record = self.server.history.record(repo) if snapshot else None
        if snapshot is not None and record is not None:
            self.send_json(commits(record, snapshot.commit))

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        """`HEAD` or `GET /<repo>/resolve/<revision>/<path>`: where the file is, and what it is."""
        over, fault = self._meet("resolve", repo, path, has_body=False)
        snapshot = None if over else self._snapshot(repo, revision, content=True)
        if snapshot is None:
            return None
        file = snapshot.find(path)
        if file is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
        etag = "0" * len(file.etag) if fault.changed else file.etag
        headers = [("X-Repo-Commit", snapshot.commit), ("Accept-Ranges", "bytes")]
        if file.is_lfs:
            signed = signed_path(
                repo, snapshot.commit, file, changed=fault.changed, now=time.time()
            )
            location = storage_origin(self._host, self.server.storage_port) + signed
            headers += [("X-Linked-Size", str(file.size)), ("X-Linked-ETag", f'"{etag}"')]
            return self._redirect(HTTPStatus.FOUND, location, headers)
        location = self.prefix + cached_path(
            repo, snapshot.commit, file, etag, changed=fault.changed
        )
        headers.append(("ETag", f'"{etag}"'))
        return self._redirect(HTTPStatus.TEMPORARY_REDIRECT, location, headers)

    def _resolve_cache(self, repo: str, commit: str, path: str) -> None:
        """The hub's own cache of small files."""
        over, fault = self._meet("resolve", repo, path)
        snapshot = None if over else self._snapshot(repo, commit, content=True)
        if snapshot is None:
            return None
        file = snapshot.find(path)
        if file is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
        query = parse_qs(urlsplit(self.path).query)
        if "changed" in query:
            fault = Fault(**{**vars(fault), "changed": True})
        headers = [("ETag", query.get("etag", [f'"{file.etag}"'])[0]), ("X-Repo-Commit", commit)]
        count = self.server.served.begin(repo, path, self.client_address[0])
        return self.send_file(file.source, headers, fault, count.add, repo=repo, file=path)

    def _redirect(self, status: int, location: str, headers: list[tuple[str, str]]) -> None:
        text = f"{HTTPStatus(status).phrase}. Redirecting to {location}".encode()
        self.send_bytes(
            text, "text/plain; charset=utf-8", status, [("Location", location), *headers]
        )

    def _search(self) -> None:
        """`GET /api/models?search=…`: the repositories whose names hold the words."""
        wanted = parse_qs(urlsplit(self.path).query).get("search", [""])[0].lower()
        names = (name for name in self.server.history.names() if wanted in name.lower())
        self.send_json([{"id": name, "modelId": name, "private": False} for name in names])

    @property
    def _host(self) -> str:
        """The name by which the client reached us."""
        return self.headers.get("Host") or "{}:{}".format(*self.server.server_address[:2])


def cached_path(repo: str, commit: str, file: RepoFile, etag: str, *, changed: bool) -> str:
    """A relative redirect, as the real hub sends it for what it keeps itself."""
    query = {"etag": f'"{etag}"'} | ({"changed": "1"} if changed else {})
    return f"{CACHED}{repo}/{commit}/{quote(file.path)}?{urlencode(query)}"

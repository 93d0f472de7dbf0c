# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model hub on 127.0.0.1 with faults to order: revision, tree with pages, resolve, storage.

Big files are answered with a redirect to a second origin, as the real hub does.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS_FROM = 1000
PAGE = 3


@dataclass(frozen=True)
class Fault:
    """One wrong answer. kind: cut, status, wrong_range, ignore_range, wrong_length, flip, etag."""

    kind: str
    number: int = 0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class HubDouble:
    """Repositories by commit; `faults` are used up one per request of a path or 'api'."""

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    token: str | None = None
    no_ranges: bool = False
    api_text: str | None = None
    link: str = '<{url}>; rel="next"'
    prefix: str = ""
    etag: str | None = None
    linked_etag: str | None = None
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    tokens: list[tuple[int, str | None]] = field(default_factory=list)
    sent: int = 0
    endpoint: str = ""
    storage: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        seed = [(path, hashlib.sha256(data).hexdigest()) for path, data in sorted(files.items())]
        commit = hashlib.sha1(json.dumps([repo, seed]).encode()).hexdigest()
        self.repos.setdefault(repo, {})[commit] = dict(files)
        self.branches[(repo, branch)] = commit
        return commit

    def fault(self, path: str) -> Fault | None:
        with self.lock:
            return self.faults[path].pop(0) if self.faults[path] else None

    def paths(self, part: str) -> list[str]:
        return [path for path, _ in self.requests if part in path]

    @property
    def bodies(self) -> list[str]:
        return self.paths("/storage/") + [
            path for path in self.paths("/resolve/") if not self.is_big(path)
        ]

    def is_big(self, path: str) -> bool:
        repo, commit, name = split_resolve(path)
        return len(self.repos[repo][commit][name]) >= LFS_FROM


def split_resolve(path: str) -> tuple[str, str, str]:
    match = re.fullmatch(r"/([^/]+/[^/]+)/(?:resolve|storage)/([0-9a-f]{40})/(.+)", path)
    assert match, path
    return match[1], match[2], match[3]


def oid(data: bytes) -> str:
    if len(data) >= LFS_FROM:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def tree_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"type": "directory", "path": "folder", "oid": "0" * 40}]
    for path, data in sorted(files.items()):
        entry = {"type": "file", "path": path, "size": len(data), "oid": oid(data)}
        if len(data) >= LFS_FROM:
            entry["oid"] = hashlib.sha1(data).hexdigest()  # of the pointer; never compared
            entry["lfs"] = {"oid": oid(data), "size": len(data), "pointerSize": 134}
        entries.append(entry)
    return entries


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubDouble
    server: ThreadingHTTPServer

    def log_message(self, *_: Any) -> None:
        """Tests read `requests`."""

    def do_GET(self) -> None:
        assert self.path.startswith(self.hub.prefix), self.path
        self.path = self.path[len(self.hub.prefix) :]
        url = urlsplit(self.path)
        path = unquote(url.path)
        port = self.server.server_port
        with self.hub.lock:
            self.hub.requests.append((path, self.headers.get("Range")))
            self.hub.tokens.append((port, self.headers.get("Authorization")))
        if path.startswith("/api/models/"):
            self._api(path, parse_qs(url.query))
        elif "/storage/" in path:
            self._file(path)
        else:
            self._resolve(path)

    def _api(self, path: str, query: dict[str, list[str]]) -> None:
        fault = self.hub.fault("api")
        if fault:
            self._answer(fault.number, b"{}", fault.headers)
        elif self.hub.api_text is not None:
            self._answer(200, self.hub.api_text.encode(), (("Content-Type", "text/html"),))
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._revision(match[1], match[2])
        elif (match := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path)) and match[1] in (
            self.hub.repos
        ):
            self._json({"id": match[1], "gated": "auto" if match[1] in self.hub.gated else False})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(.+)", path):
            self._tree(match[1], match[2], int(query.get("cursor", ["0"])[0]))
        else:
            self._answer(404, b"{}")

    def _revision(self, repo: str, revision: str) -> None:
        if self._forbidden(repo):
            return
        commits = self.hub.repos[repo]
        commit = revision if revision in commits else self.hub.branches.get((repo, revision))
        if commit is None:
            self._answer(404, b"{}", (("X-Error-Code", "RevisionNotFound"),))
        else:
            self._json({"id": repo, "sha": commit, "siblings": []})

    def _tree(self, repo: str, commit: str, cursor: int) -> None:
        entries = tree_of(self.hub.repos[repo][commit])
        target = f"{self.path.split('?')[0]}?recursive=true&cursor={cursor + PAGE}"
        below = f"{self.hub.prefix}{target}"
        link = self.hub.link.replace("{url}", f"http://{self.headers['Host']}{below}")
        link = link.replace("{host}", self.headers["Host"]).replace("{path}", target)
        link = link.replace("{query}", f"?{target.partition('?')[2]}")
        more = cursor + PAGE < len(entries)
        headers = tuple(("Link", each) for each in link.split("\n")) if more else ()
        self._json(entries[cursor : cursor + PAGE], headers)

    def _forbidden(self, repo: str) -> bool:
        """As the real hub: an unknown repository is 401 without a token; a bad token always is."""
        sent = self.headers.get("Authorization")
        good = self.hub.token is not None and sent == f"Bearer {self.hub.token}"
        if sent is not None and not good:
            self._answer(401, b'{"error":"Invalid credentials in Authorization header"}')
        elif repo not in self.hub.repos:
            status = 404 if good else 401
            self._answer(status, b"{}", (("X-Error-Code", "RepoNotFound"),))
        elif repo in self.hub.gated and not good:
            self._answer(401, b"{}", (("X-Error-Code", "GatedRepo"),))
        else:
            return False
        return True

    def _resolve(self, path: str) -> None:
        repo, commit, name = split_resolve(path)
        if self._forbidden(repo):
            return
        data = self.hub.repos[repo].get(commit, {}).get(name)
        if data is None:
            self._answer(404, b"{}", (("X-Error-Code", "EntryNotFound"),))
        elif len(data) >= LFS_FROM:
            target = self.hub.storage + self.hub.prefix + self.path.replace("resolve", "storage")
            named = self.hub.linked_etag or f'"{oid(data)}"'
            linked = (("X-Linked-Etag", named), ("X-Linked-Size", str(len(data))))
            self._answer(302, b"", (("Location", target), ("X-Repo-Commit", commit), *linked))
        else:
            self._file(path)

    def _file(self, path: str) -> None:
        repo, commit, name = split_resolve(path)
        data = self.hub.repos[repo][commit][name]
        fault = self.hub.fault(name) or Fault("none")
        if fault.kind == "status":
            self._answer(fault.number, b"busy", fault.headers)
            return
        if fault.kind == "flip":
            data = bytes([data[0] ^ 1]) + data[1:]
        start, end, status = 0, len(data), 200
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match and not self.hub.no_ranges and fault.kind != "ignore_range":
            start, end, status = int(match[1]), min(end, int(match[2] or end) + 1), 206
        self._send(data, start, end, status, fault)

    def _send(self, data: bytes, start: int, end: int, status: int, fault: Fault) -> None:
        length = end - start + (7 if fault.kind == "wrong_length" else 0)
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        etag = f'"{oid(b"?" * len(data)) if fault.kind == "etag" else oid(data)}"'
        self.send_header("ETag", etag if self.hub.etag is None else self.hub.etag)
        if status == 206:
            first = start + (1 if fault.kind == "wrong_range" else 0)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        self.end_headers()
        body = data[start:end]
        if fault.kind == "cut":
            body = body[: fault.number]
        self.close_connection = fault.kind in {"cut", "wrong_length"}
        with self.hub.lock:
            self.hub.sent += len(body)
        self.wfile.write(body)

    def _json(self, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        kind = ("Content-Type", "application/json")
        self._answer(200, json.dumps(value).encode(), (kind, *headers))

    def _answer(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


@contextmanager
def running_hub(certificate: Path | None = None) -> Iterator[HubDouble]:
    """`certificate`: a PEM file with a key and its certificate, to speak TLS."""
    hub = HubDouble()
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    servers = [Server(("127.0.0.1", 0), handler) for _ in range(2)]
    scheme = "http"
    if certificate is not None:
        context, scheme = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "https"
        context.load_cert_chain(certificate)
        for server in servers:
            server.socket = context.wrap_socket(server.socket, server_side=True)
    hub.endpoint, hub.storage = (f"{scheme}://127.0.0.1:{s.server_port}" for s in servers)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()

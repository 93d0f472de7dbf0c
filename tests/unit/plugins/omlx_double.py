# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of omlx's HTTP API that the collection uses, with omlx's memory and its file.

Statuses, bodies and wording follow admin/routes.py, admin/auth.py and server.py of omlx 0.5.0 and
of flyto-mlx 0.7.0.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COOKIE = "omlx_admin_session"
NOT_FOUND = (404, {"detail": "Not Found"})
Answer = tuple[int, Any]


@dataclass
class OmlxDouble:
    """A server: its keys, its models and what it was asked."""

    key: str | None = "sk-main-1234"
    subs: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    on_disk: dict[str, int] = field(default_factory=dict)
    statuses: list[dict[str, int]] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)
    deaf_to: tuple[str, ...] = ()  # settings of models that this version does not have
    deaf_to_removals: bool = False
    broken: str = "(nothing)"  # the paths that start with this answer 500
    reloads: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> int:
        return sum(found == path for _method, found, _body in self.requests)

    def save(self) -> None:
        """Write what is in memory, over whatever the file holds."""
        if self.file is not None:
            auth = {**self.memory.get("auth", {}), **self._auth()}
            self.file.write_text(json.dumps({**self.memory, "auth": auth}))

    def answer(self, method: str, path: str, body: Any, headers: Any) -> tuple[int, Any, str]:
        """Status, body and session of an answer."""
        if self.failing:
            return self.failing.pop(0), {"detail": "not initialized"}, ""
        if path.startswith(self.broken):
            return 500, {"detail": "Failed to save settings"}, ""
        if path == "/admin/api/login":
            return self._login(body)
        if path.startswith("/admin/"):
            cookie = re.match(rf"{COOKIE}=(\w+)$", headers.get("Cookie") or "")
            if not cookie or cookie[1] not in self.sessions:
                return 401, {"detail": "Authentication required"}, ""
            return (*self._admin(method, path.removeprefix("/admin/api"), body), "")
        if path == "/health":
            return 200, {"status": "healthy", "engine_pool": {}}, ""
        sent = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        if self.key and sent != self.key and sent not in self.subs:
            error = {"message": "Invalid API key", "type": "authentication_error"}
            return 401, {"error": error}, ""
        return (*self._public(path), "")

    def _login(self, body: Any) -> tuple[int, Any, str]:
        if not self.key:
            detail = "No API key configured. Please set up an API key first."
            return 400, {"detail": detail}, ""
        if body["api_key"] != self.key:
            return 401, {"detail": "Invalid API key"}, ""
        session = uuid.uuid4().hex
        self.sessions.add(session)
        return 200, {"success": True}, session

    def _admin(self, method: str, path: str, body: Any) -> Answer:
        if path in ("/global-settings", "/sub-keys"):
            return self._keys(method, path, body)
        if path.startswith("/models"):
            return self._settings_of_models(path, body)
        if path == "/reload":
            self.reloads += 1
            self.models = dict(self.on_disk)
            return 200, {"status": "ok", "message": "Re-discovered models from 1 directory"}
        return NOT_FOUND

    def _auth(self) -> dict[str, Any]:
        entries = [{"key": key, "name": name} for key, name in self.subs.items()]
        return {"api_key": self.key, "sub_keys": entries}

    def _keys(self, method: str, path: str, body: Any) -> Answer:
        if method == "GET":
            return 200, {"auth": self._auth()}
        if path == "/global-settings":
            self.key = body["api_key"]
            self.changes.append("main")
        elif method == "POST":
            if body["key"] == self.key or body["key"] in self.subs:
                return 400, {"detail": "This key already exists"}
            self.subs[body["key"]] = body["name"]
            self.changes.append(f"add {body['name']}")
        elif body["key"] not in self.subs:
            return 404, {"detail": "Sub key not found"}
        elif not self.deaf_to_removals:
            self.changes.append(f"remove {self.subs.pop(body['key'])}")
        self.save()
        return 200, {"success": True}

    def _settings_of_models(self, path: str, body: Any) -> Answer:
        if path == "/models":
            return 200, {"models": [self._row(name) for name in self.settings]}
        name = path.split("/")[2]
        self.changes.append(f"tell {name} {json.dumps(body, sort_keys=True)}")
        kept = {key: value for key, value in body.items() if key not in self.deaf_to}
        self.settings[name].update(kept)
        return 200, {"success": True}

    def _row(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"id": name, "settings": self.settings[name] or None}
        if name in self.paths:
            row["model_path"] = str(self.paths[name])
        if name in self.models:
            row["estimated_size"] = self.models[name]
        return row

    def _public(self, path: str) -> Answer:
        load = re.match(r"/v1/models/(\w+)/load$", path)
        if load:
            self.changes.append(f"load {load[1]}")
            return 200, {"status": "ok"}
        if path == "/v1/models":
            return 200, {"data": []}
        if path == "/v1/models/status":
            rows = [
                {"id": name, "estimated_size": size, "loaded": False, "is_loading": False}
                for name, size in sorted(self.models.items())
            ]
            return 200, {"model_count": len(rows), "models": rows}
        if path != "/api/status":
            return NOT_FOUND
        statuses = self.statuses
        now = (statuses.pop(0) if len(statuses) > 1 else statuses[0]) if statuses else {}
        rest = {"active_requests": 0, "waiting_requests": 0, "models_loading": 0}
        return 200, {"status": "ok", "version": "0.7.0", **rest, **now}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    omlx: OmlxDouble

    def log_message(self, *_: Any) -> None:
        """Tests read `requests`."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        self.omlx.requests.append((self.command, self.path, body))
        status, said, session = self.omlx.answer(self.command, self.path, body, self.headers)
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if session:
            flags = "HttpOnly; Max-Age=86400; Path=/; SameSite=lax"
            self.send_header("Set-Cookie", f"{COOKIE}={session}; {flags}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names


@contextmanager
def running_omlx(omlx: OmlxDouble | None = None) -> Iterator[OmlxDouble]:
    """Serve until the block ends; loopback only."""
    omlx = omlx or OmlxDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"omlx": omlx}))
    server.daemon_threads = True
    omlx.port = server.server_port
    omlx.memory.setdefault("server", {})["port"] = omlx.port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield omlx
    finally:
        server.shutdown()
        server.server_close()

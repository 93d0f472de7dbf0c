# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of omlx's HTTP API that the client uses, as flyto-mlx 0.7.0 answers it.

Statuses, bodies and wording follow that package's admin/routes.py, admin/auth.py,
admin/hf_downloader.py and server.py. What a download does next is a script that the test writes.
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
from typing import Any

Steps = list[dict[str, Any]]


@dataclass
class OmlxDouble:
    """A server; `script` holds per repository what each request for it goes through.

    Each look at the queue moves every live task one step on; the last step stays. A step with
    "restart" empties the queue, as a restart does.
    """

    key: str | None = "sk-main-1234"
    models: dict[str, int] = field(default_factory=dict)
    on_disk: dict[str, int] = field(default_factory=dict)
    script: dict[str, list[Steps]] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, int]] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)
    reloads: int = 0
    clock: float = 1000.0
    url: str = ""

    def asked(self, path: str) -> int:
        return sum(found == path for _method, found, _body in self.requests)

    def enqueue(self, repo: str) -> dict[str, Any]:
        self.clock += 1
        steps = self.script.get(repo) or [[{"status": "completed"}]]
        task = {
            "task_id": str(uuid.uuid4()),
            "repo_id": repo,
            "status": "pending",
            "progress": 0.0,
            "total_size": 0,
            "downloaded_size": 0,
            "error": "",
            "created_at": self.clock,
            "started_at": 0.0,
            "completed_at": 0.0,
            "retry_count": 0,
            "steps": list(steps.pop(0) if len(steps) > 1 else steps[0]),
        }
        self.tasks.append(task)
        return task

    def advance(self) -> None:
        for task in list(self.tasks):
            if task["steps"] and task["status"] in ("pending", "downloading"):
                step = task["steps"].pop(0)
                if step.get("restart"):
                    self.tasks.clear()
                    self.sessions.clear()
                    return
                task.update(step)


def shown(task: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in task.items() if key != "steps"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    omlx: OmlxDouble

    def log_message(self, *_: Any) -> None:
        """Tests read `requests`."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        self.omlx.requests.append((self.command, self.path, body))
        if self.omlx.failing:
            self._json({"detail": "not initialized"}, self.omlx.failing.pop(0))
        elif self.path == "/admin/api/login":
            self._login(body)
        elif self.path.startswith("/admin/"):
            self._admin(body)
        else:
            self._public()

    do_POST = do_GET  # noqa: N815 - http.server's names

    def _login(self, body: Any) -> None:
        if not self.omlx.key:
            detail = "No API key configured. Please set up an API key first."
            self._json({"detail": detail}, 400)
        elif body["api_key"] != self.omlx.key:
            self._json({"detail": "Invalid API key"}, 401)
        else:
            session = uuid.uuid4().hex
            self.omlx.sessions.add(session)
            cookie = f"omlx_admin_session={session}; HttpOnly; Max-Age=86400; Path=/; SameSite=lax"
            self._json({"success": True}, 200, (("Set-Cookie", cookie),))

    def _admin(self, body: Any) -> None:
        match = re.match(r"omlx_admin_session=(\w+)$", self.headers.get("Cookie") or "")
        if not match or match[1] not in self.omlx.sessions:
            self._json({"detail": "Authentication required"}, 401)
        elif self.path == "/admin/api/reload":
            self.omlx.reloads += 1
            self.omlx.models = dict(self.omlx.on_disk)
            self._json({"status": "ok", "message": "Re-discovered models from 1 directory"})
        elif self.path == "/admin/api/hf/tasks":
            before = [shown(task) for task in self.omlx.tasks]
            self.omlx.advance()
            raced = len(self.omlx.tasks) > len(before)
            self._json({"tasks": before if raced else [shown(task) for task in self.omlx.tasks]})
        elif self.path == "/admin/api/hf/download":
            self._download(body)
        else:
            self._json({"detail": "Not Found"}, 404)

    def _download(self, body: Any) -> None:
        repo = body["repo_id"]
        live = [t for t in self.omlx.tasks if t["status"] in ("pending", "downloading")]
        if any(task["repo_id"] == repo for task in live):
            self._json({"detail": f"Download for '{repo}' is already in progress"}, 400)
        else:
            self._json({"success": True, "task": shown(self.omlx.enqueue(repo))})

    def _public(self) -> None:
        sent = self.headers.get("Authorization")
        if self.omlx.key and sent != f"Bearer {self.omlx.key}":
            error = {"message": "Invalid API key", "type": "authentication_error"}
            self._json({"error": error}, 401)
        elif self.path == "/v1/models/status":
            rows = [
                {"id": name, "estimated_size": size, "loaded": False, "is_loading": False}
                for name, size in sorted(self.omlx.models.items())
            ]
            self._json({"model_count": len(rows), "models": rows})
        elif self.path == "/api/status":
            statuses = self.omlx.statuses
            now = (statuses.pop(0) if len(statuses) > 1 else statuses[0]) if statuses else {}
            rest = {"active_requests": 0, "waiting_requests": 0, "models_loading": 0}
            self._json({"status": "ok", "version": "0.7.0", **rest, **now})
        else:
            self._json({"detail": "Not Found"}, 404)

    def _json(self, value: Any, status: int = 200, headers: tuple[Any, ...] = ()) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("Content-Type", "application/json"), *headers):
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_omlx() -> Iterator[OmlxDouble]:
    omlx = OmlxDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"omlx": omlx}))
    server.daemon_threads = True
    omlx.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield omlx
    finally:
        server.shutdown()
        server.server_close()

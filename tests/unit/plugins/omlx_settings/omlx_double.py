# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of omlx that are about keys, with its memory and its file; loopback only.

Source: omlx v0.5.0, omlx/admin/auth.py, routes.py and server.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COOKIE = "omlx_admin_session"


@dataclass
class Omlx:
    """One running server: what it has in memory, and what it was asked to change."""

    main: str
    subs: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    deaf_to_removals: bool = False
    broken: bool = False
    port: int = 0

    def save(self) -> None:
        """Write what is in memory, over whatever the file holds."""
        if self.file is None:
            return
        entries = [{"key": key, "name": name} for key, name in self.subs.items()]
        auth = {**self.memory.get("auth", {}), "api_key": self.main, "sub_keys": entries}
        self.file.write_text(json.dumps({**self.memory, "auth": auth}))

    def answer(self, method: str, path: str, body: Any, headers: Any) -> tuple[int, Any, str]:
        """Status, body and cookie of an answer."""
        if self.broken:
            return 500, {"detail": "Failed to save settings"}, ""
        if path == "/health":
            return 200, {"status": "healthy", "engine_pool": {}}, ""
        if path == "/v1/models":
            key = str(headers.get("Authorization", "")).removeprefix("Bearer ")
            known = not self.main or key == self.main or key in self.subs
            return (200, {"data": []}, "") if known else (401, {"error": {}}, "")
        if path == "/admin/api/login":
            right = bool(self.main) and body["api_key"] == self.main
            return (200, {"success": True}, "yes") if right else (401, {"detail": "no"}, "")
        if f"{COOKIE}=yes" not in str(headers.get("Cookie")):
            return 401, {"detail": "Admin authentication required"}, ""
        return (*self._admin(method, path, body), "")

    def _admin(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            entries = [{"key": key, "name": name} for key, name in self.subs.items()]
            return 200, {"auth": {"api_key": self.main, "sub_keys": entries}}
        if path == "/admin/api/global-settings":
            self.main = body["api_key"]
            self.changes.append("main")
        elif method == "POST":
            if body["key"] == self.main or body["key"] in self.subs:
                return 400, {"detail": "This key already exists"}
            self.subs[body["key"]] = body["name"]
            self.changes.append(f"add {body['name']}")
        elif body["key"] not in self.subs:
            return 404, {"detail": "Sub key not found"}
        elif not self.deaf_to_removals:
            self.changes.append(f"remove {self.subs.pop(body['key'])}")
        self.save()
        return 200, {"success": True}


@contextmanager
def running(omlx: Omlx) -> Iterator[Omlx]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, said, cookie = omlx.answer(self.command, self.path, body, self.headers)
            data = json.dumps(said).encode()
            self.send_response(status)
            if cookie:
                self.send_header("Set-Cookie", f"{COOKIE}={cookie}; HttpOnly; Path=/; SameSite=lax")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    omlx.port = server.server_address[1]
    omlx.memory.setdefault("server", {})["port"] = omlx.port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield omlx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

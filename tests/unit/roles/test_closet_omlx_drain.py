"""closet-omlx-drain against a server that answers as omlx does; the program itself is run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/omlx/files/closet_omlx_drain.py"


class Omlx(ThreadingHTTPServer):
    """Busy for the first `busy` looks; takes one key."""

    key, busy = "laptop", 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.loaded = ["coder", "little one"]
        self.unloaded: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Omlx

    def answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"Bearer {self.server.key}":
            return self.answer(401, {})
        self.server.busy -= 1
        active = int(self.server.busy >= 0)
        return self.answer(200, {"active_requests": active, "loaded_models": self.server.loaded})

    def do_POST(self) -> None:
        self.server.unloaded.append(self.path)
        self.answer(200, {"status": "ok"})

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def omlx() -> Iterator[Omlx]:
    server = Omlx()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def drain(
    folder: Path, port: int, *words: str, idle: str = "20"
) -> subprocess.CompletedProcess[str]:
    auth = {"api_key": "main", "sub_keys": [{"key": "laptop", "name": "air"}]}
    (folder / "settings.json").write_text(json.dumps({"auth": auth}))
    argv = [sys.executable, str(PROGRAM), "--settings", str(folder / "settings.json")]
    argv += ["--port", str(port), "--idle", idle, *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


BOTH = ["/v1/models/coder/unload", "/v1/models/little%20one/unload"]


def test_it_waits_and_then_unloads_with_the_key_that_is_taken(tmp_path: Path, omlx: Omlx) -> None:
    omlx.busy = 2
    done = drain(tmp_path, omlx.server_port)
    assert (done.returncode, omlx.unloaded) == (0, BOTH)
    assert "unloaded: coder, little one" in done.stdout
    assert "main" not in done.stdout + done.stderr


def test_who_asks_without_a_pause_does_not_keep_it(tmp_path: Path, omlx: Omlx) -> None:
    omlx.busy = 10_000
    done = drain(tmp_path, omlx.server_port, idle="1")
    assert (done.returncode, omlx.unloaded) == (1, BOTH)
    assert "still busy" in done.stderr


def test_on_a_battery_what_is_busy_is_left_alone(tmp_path: Path, omlx: Omlx) -> None:
    omlx.busy = 10_000
    done = drain(tmp_path, omlx.server_port, "--only-idle", idle="0")
    assert (done.returncode, omlx.unloaded) == (0, [])
    assert "left alone" in done.stdout


def test_some_models_can_stay(tmp_path: Path, omlx: Omlx) -> None:
    assert drain(tmp_path, omlx.server_port, "--keep", "coder").returncode == 0
    assert omlx.unloaded == BOTH[1:]


def test_keys_that_it_does_not_know_are_said(tmp_path: Path, omlx: Omlx) -> None:
    omlx.key = "another"
    done = drain(tmp_path, omlx.server_port)
    assert (done.returncode, omlx.unloaded) == (1, [])
    assert "does not accept the key" in done.stderr


def test_a_server_that_is_not_there_needs_nothing(tmp_path: Path) -> None:
    done = drain(tmp_path, 1)
    assert done.returncode == 0
    assert "nothing answers on port 1" in done.stdout

"""closet-gateway-drain against a socket that answers as Caddy does; the program itself is run."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/gateway/files/closet_gateway_drain.py"


class Caddy(socketserver.ThreadingUnixStreamServer):
    """Owes two answers for the first `busy` looks."""

    daemon_threads = True
    busy = 0
    text: str | None = None


class Handler(BaseHTTPRequestHandler):
    server: Caddy

    def do_GET(self) -> None:
        assert self.path == "/reverse_proxy/upstreams"
        self.server.busy -= 1
        owed = 2 if self.server.busy >= 0 else 0
        # seen at Caddy 2.11: one entry for each upstream that it knows
        known = [{"address": "127.0.0.1:8001", "num_requests": owed, "fails": 0}]
        text = (json.dumps(known) if self.server.text is None else self.server.text).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return "a socket"

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def caddy(tmp_path: Path) -> Iterator[Caddy]:
    server = Caddy(str(tmp_path / "admin.sock"), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def drain(path: Path, idle_s: float = 20) -> tuple[int, str]:
    argv = [sys.executable, str(PROGRAM), f"--socket={path}", f"--idle={idle_s}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("busy", [0, 3])
def test_it_waits_until_nothing_is_owed(caddy: Caddy, tmp_path: Path, busy: int) -> None:
    caddy.busy = busy
    code, said = drain(tmp_path / "admin.sock")
    assert code == 0
    assert "idle after" in said
    assert caddy.busy == -1, "it looked once more than it was busy"


def test_who_asks_without_a_pause_does_not_keep_it(caddy: Caddy, tmp_path: Path) -> None:
    caddy.busy = 10_000
    code, said = drain(tmp_path / "admin.sock", idle_s=0.5)
    assert code == 1
    assert "2 answers were pending after" in said


def test_without_a_gateway_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    assert drain(tmp_path / "none")[0] == 0


@pytest.mark.parametrize("text", ["<html>", "[{}]", "{}x", "[1]"])
def test_an_answer_that_says_nothing_is_no_reason_to_wait(
    caddy: Caddy, tmp_path: Path, text: str
) -> None:
    caddy.text = text
    code, said = drain(tmp_path / "admin.sock")
    assert code == 1
    assert "does not report its load" in said


def test_no_upstream_is_nothing_owed(caddy: Caddy, tmp_path: Path) -> None:
    caddy.text = "null"
    assert drain(tmp_path / "admin.sock")[0] == 0

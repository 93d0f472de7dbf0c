# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health checks against a /v1 that can be told to misbehave."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from ansible_collections.closet.inference.plugins.module_utils.endpoint.checks import Checks
from ansible_collections.closet.inference.plugins.module_utils.endpoint.model import Report, Want
from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import (
    BadUrlError,
    Reply,
    Wire,
    parse_base,
    shortened,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

KEY = "sk-very-secret-0123456789"
TOKEN_GAP_S = 0.01


@dataclass
class Manners:
    """How the double behaves, and what it was asked."""

    key: str | None = None
    models: tuple[str, ...] = ("coder", "embedding")
    fail_first: list[tuple[int, str]] = field(default_factory=list)  # answers to the first POSTs
    list_first: list[tuple[int, str]] = field(default_factory=list)  # answers to the first lists
    first_token_s: float = 0.05
    stream_error: bool = False
    silent: bool = False
    usage: bool = True
    keepalive: bool = True
    asked: list[tuple[str, Any]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    manners: Manners


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def manners(self) -> Manners:
        return cast(Server, self.server).manners

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refused(self) -> bool:
        key = self.manners.key
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            self.answer(401, '{"error": {"message": "Invalid API key"}}')
            return True
        return False

    def do_GET(self) -> None:
        self.manners.asked.append((self.path, dict(self.headers)))
        if self.refused():
            return
        if self.manners.list_first:
            self.answer(*self.manners.list_first.pop(0))
            return
        data = [{"id": name, "object": "model"} for name in self.manners.models]
        self.answer(200, json.dumps({"object": "list", "data": data}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.manners.asked.append((self.path, body))
        if self.refused():
            return
        if self.manners.fail_first:
            self.answer(*self.manners.fail_first.pop(0))
        elif body["model"] not in self.manners.models:
            self.answer(404, '{"error": {"message": "Model not found"}}')
        elif body["stream"]:
            self.stream(body)
        else:
            choice = {"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
            self.answer(200, " \n" + json.dumps({"choices": [choice]}))

    def stream(self, body: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.manners.keepalive:
            self.event({"id": "chatcmpl-keepalive", "choices": [{"index": 0, "delta": {}}]})
            self.wfile.write(b": ping\n\n")
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        time.sleep(self.manners.first_token_s)
        if self.manners.stream_error:
            self.event({"error": {"message": "prefill_memory_exceeded"}})
            return
        for at in range(0 if self.manners.silent else 5):
            key = "reasoning_content" if at == 0 else "content"
            self.event({"choices": [{"index": 0, "delta": {key: f"{at} "}}]})
            time.sleep(TOKEN_GAP_S)
        if self.manners.usage:
            usage = {"prompt_tokens": 50, "completion_tokens": 9}
            self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, document: Any) -> None:
        self.wfile.write(b"data:" + json.dumps(document).encode() + b"\n\n")
        self.wfile.flush()


class Clock(Runner):
    """The real clock, with sleeps that only move it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def now(self) -> float:
        return time.monotonic() + sum(self.slept)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.manners = Manners()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


def run_checks(server: Server, clock: Runner | None = None, **wanted: Any) -> Report:
    want = Want(base=parse_base(url(server)), **{"timeout_s": 20, **wanted})
    return Checks(want, clock or Clock()).run()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_all_checks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.manners.key = KEY
    report = run_checks(server, api_key=KEY, models=("coder",), answer="coder", measure=True)
    assert report.failure is None
    assert [(step.step, step.ok) for step in report.steps] == [
        ("connect", True),
        ("models", True),
        ("answer", True),
        ("stream", True),
    ]
    assert report.models == ["coder", "embedding"]
    assert KEY not in json.dumps([vars(step) for step in report.steps])
    # the keep-alive chunk, the comment and the empty first delta are not the first token
    assert report.ttft_s is not None
    assert report.ttft_s >= server.manners.first_token_s
    assert report.decode_tps is not None
    assert report.steps[-1].detail == "9 tokens after 50 of prompt"
    streamed = [body for path, body in server.manners.asked if path.endswith("completions")][-1]
    assert streamed["messages"][0]["content"].startswith("Run ")


def test_the_speed_is_that_of_the_tokens_after_the_first(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"choices": [{"delta": {"content": "a"}}]}
    empty = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
    usage = {"choices": [], "usage": {"completion_tokens": 9, "prompt_tokens": 50}}
    events = [(1.0, empty), (2.0, said), (2.1, said), (2.5, said), (9.0, usage)]
    monkeypatch.setattr(Wire, "stream", lambda *_words: (None, iter(events)))
    report = run_checks(server, answer="coder", measure=True)
    assert report.decode_tps == 16.0


def test_without_usage_chunks_are_counted_and_it_says_so(server: Server) -> None:
    server.manners.usage = False
    report = run_checks(server, answer="coder", measure=True)
    assert report.failure is None
    assert report.steps[-1].detail.startswith("5 tokens")
    assert "chunks counted" in report.steps[-1].detail


def test_only_what_is_asked_for_is_tried(server: Server) -> None:
    report = run_checks(server)
    assert [step.step for step in report.steps] == ["connect", "models"]
    assert [path for path, _ in server.manners.asked] == ["/v1/models"]


@pytest.mark.parametrize(
    ("manners", "wanted", "step", "words"),
    [
        pytest.param({}, {"models": ("coder", "vl")}, "models", "vl is not listed", id="missing"),
        pytest.param(
            {"models": ()}, {"models": ("coder",)}, "models", "no model at all", id="empty"
        ),
        pytest.param(
            {}, {"models": ("coder",), "exact": True}, "models", "embedding is listed", id="extra"
        ),
        pytest.param({"key": KEY}, {}, "models", "401 Invalid API key", id="no key"),
        pytest.param(
            {"list_first": [(200, "<html>")]}, {}, "models", "not a list of models", id="html"
        ),
        pytest.param(
            {"list_first": [(404, '{"detail": "Not Found"}')]}, {}, "models", "404 Not Found"
        ),
        pytest.param({}, {"answer": "vl"}, "answer", "404 Model not found", id="unknown model"),
        pytest.param(
            {"fail_first": [(507, '{"error": {"message": "too large"}}')]},
            {"answer": "coder"},
            "answer",
            "507 too large",
            id="too large",
        ),
        pytest.param(
            {"fail_first": [(409, '{"error": {"message": "incomplete download"}}')]},
            {"answer": "coder"},
            "answer",
            "409 incomplete",
            id="a 409 that waiting does not mend",
        ),
        pytest.param(
            {"fail_first": [(200, '{"choices": []}')]},
            {"answer": "coder"},
            "answer",
            "without an answer",
            id="200 and nothing",
        ),
        pytest.param(
            {"stream_error": True},
            {"answer": "coder", "measure": True},
            "stream",
            "prefill_memory_exceeded",
            id="error in the stream",
        ),
        pytest.param(
            {"silent": True},
            {"answer": "coder", "measure": True},
            "stream",
            "streamed nothing",
            id="empty stream",
        ),
        pytest.param({}, {"expect": "unauthorized"}, "models", "should refuse no key", id="open"),
    ],
)
def test_failures_that_waiting_does_not_mend(
    server: Server, manners: dict[str, Any], wanted: dict[str, Any], step: str, words: str
) -> None:
    for name, value in manners.items():
        setattr(server.manners, name, value)
    clock = Clock()
    report = run_checks(server, clock, **wanted)
    assert report.failure is not None
    assert report.failure.startswith(f"{url(server)}: step '{step}' failed: ")
    assert words in report.failure
    assert report.steps[-1].step == step
    assert report.steps[-1].ok is False
    assert clock.slept == []


def test_a_busy_server_is_waited_for(server: Server) -> None:
    server.manners.list_first = [(503, "starting")]
    server.manners.fail_first = [(409, '{"error": {"message": "loading"}}'), (503, "queue full")]
    clock = Clock()
    report = run_checks(server, clock, answer="coder")
    assert report.failure is None
    assert clock.slept == [0.25, 0.5, 1.0]
    assert [step.step for step in report.steps] == ["connect", "models", "answer"]


def test_a_server_that_never_gets_ready_is_given_up(server: Server) -> None:
    server.manners.list_first = [(503, "starting")] * 50
    clock = Clock()
    report = run_checks(server, clock, timeout_s=10)
    assert report.failure is not None
    assert "step 'models' failed after 10 s: 503 starting" in report.failure
    assert 9 < sum(clock.slept) < 10
    assert max(clock.slept) <= 3.0


def test_the_try_before_the_last_is_told_when_it_says_more(server: Server) -> None:
    server.manners.list_first = [(503, "starting"), (503, "out of memory")]
    report = run_checks(server, timeout_s=0.7)
    assert report.failure is not None
    assert "503 out of memory (the try before ended at 'models': 503 starting)" in report.failure


def test_a_server_that_starts_late_is_waited_for() -> None:
    port = free_port()
    started: list[Server] = []

    class StartsServer(Clock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 2:
                made = Server(("127.0.0.1", port), Handler)
                made.manners = Manners()
                threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
                started.append(made)

    base = parse_base(f"http://127.0.0.1:{port}/v1")
    report = Checks(Want(base=base), StartsServer()).run()
    started[0].shutdown()
    started[0].server_close()
    assert report.failure is None


def test_a_closed_port() -> None:
    base = parse_base(f"http://127.0.0.1:{free_port()}/v1")
    report = Checks(Want(base=base, timeout_s=4), Clock()).run()
    assert report.failure is not None
    assert "step 'connect' failed after 4 s" in report.failure
    assert "nothing listens there" in report.failure
    clock = Clock()
    expected = Checks(Want(base=base, expect="refused"), clock).run()
    assert expected.failure is None
    assert expected.steps[0].ok is True
    assert clock.slept == []


def test_an_open_port_that_shall_be_closed(server: Server) -> None:
    report = run_checks(server, expect="refused", timeout_s=2)
    assert report.failure is not None
    assert "something listens there, and nothing should" in report.failure
    assert server.manners.asked == []


def test_a_name_nobody_knows_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*words: Any, **named: Any) -> Any:
        raise socket.gaierror(8, "nodename nor servname provided, or not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    want = Want(base=parse_base("http://attic.local:8000/v1"), expect="refused", timeout_s=1)
    report = Checks(want, Clock()).run()
    assert report.failure is not None
    assert "attic.local port 8000: the name does not resolve" in report.failure


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_unauthorized_as_expected(server: Server, key: str | None) -> None:
    server.manners.key = KEY
    report = run_checks(server, api_key=key, expect="unauthorized")
    assert report.failure is None
    assert report.steps[-1].detail == "401 Invalid API key"


def test_a_server_that_hangs_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        base = parse_base(f"http://127.0.0.1:{mute.getsockname()[1]}/v1")
        begun = time.monotonic()
        report = Checks(Want(base=base, timeout_s=0.3), Clock()).run()
    assert time.monotonic() - begun < 2
    assert report.failure is not None
    assert "step 'models' failed: no answer came in time" in report.failure


def test_a_server_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        port = rude.getsockname()[1]

        def hang_up() -> None:
            rude.accept()[0].close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        base = parse_base(f"http://127.0.0.1:{port}/v1")
        report = Checks(Want(base=base, timeout_s=0.2), Clock()).run()
        thread.join(2)
    assert report.failure is not None
    assert "step 'models' failed" in report.failure


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "secure"),
    [
        ("http://attic.local:8000/v1", "attic.local", 8000, "/v1", False),
        ("http://attic.local:8000/v1/", "attic.local", 8000, "/v1", False),
        ("https://attic.tail.net/v1", "attic.tail.net", 443, "/v1", True),
        ("http://[::1]/v1", "::1", 80, "/v1", False),
    ],
)
def test_urls(text: str, host: str, port: int, path: str, secure: bool) -> None:
    base = parse_base(text)
    assert (base.host, base.port, base.path, base.secure) == (host, port, path, secure)


@pytest.mark.parametrize(
    "text", ["attic:8000", "ftp://attic/v1", "http://", "http://a:b@attic/v1", "http://a:x/v1"]
)
def test_urls_refused(text: str) -> None:
    with pytest.raises(BadUrlError):
        parse_base(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": {"message": "a"}}', "a"),
        ('{"error": "b"}', "b"),
        ('{"detail": [1]}', "[1]"),
        ("", "(nothing)"),
        ("<html>\n</html>", "<html> </html>"),
    ],
)
def test_complaints(text: str, words: str) -> None:
    assert Reply(500, text).complaint() == words


def test_shortened() -> None:
    assert len(shortened("a" * 1000)) == 300

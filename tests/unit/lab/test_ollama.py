"""The double of ollama against what the real one (0.17.4, built from its module) answered."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.hub import ollama as release
from lab.ollama import store
from lab.ollama.server import Server

VERSION = "0.34.4"


class Registry(BaseHTTPRequestHandler):
    """The hub's part that ollama pulls from."""

    def do_GET(self) -> None:
        found = release.find(self.path)
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(found[0] if found else b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited name
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[str]:
    """Host and port of a registry."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a double without models."""
    with Server(("127.0.0.1", 0), store.Store(tmp_path), VERSION) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def ask(
    port: int, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str, str]:
    """Status, type and text of an answer."""
    talk = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    talk.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = talk.getresponse()
    return answer.status, answer.headers["Content-Type"] or "", answer.read().decode()


JSON, JSON_V1 = "application/json; charset=utf-8", "application/json"
NOPE = {"model": "nope", "messages": [], "input": "x"}
MISSING = '{"error":{"message":"%s","type":"api_error","param":null,"code":null}}'
RECORDED = [
    ("GET", "/", None, 200, "text/plain; charset=utf-8", "Ollama is running"),
    ("GET", "/api/tags", None, 200, JSON, '{"models":[]}'),
    ("GET", "/api/ps", None, 200, JSON, '{"models":[]}'),
    ("GET", "/v1/models", None, 200, JSON_V1, '{"object":"list","data":null}'),
    ("POST", "/v1/chat/completions", NOPE, 404, JSON_V1, MISSING % "model 'nope' not found"),
    (
        *("POST", "/v1/embeddings", NOPE, 404, JSON_V1),
        MISSING % 'model \\"nope\\" not found, try pulling it first',
    ),
    (
        *("POST", "/api/copy", {"source": "nope", "destination": "b"}, 404, JSON),
        '{"error":"model \\"nope\\" not found"}',
    ),
    (
        "DELETE",
        "/api/delete",
        {"model": "nope"},
        404,
        JSON,
        """{"error":"model 'nope' not found"}""",
    ),
    ("POST", "/v1/rerank", {}, 404, "text/plain", "404 page not found"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "text"), RECORDED, ids=[row[1] for row in RECORDED]
)
def test_it_answers_as_recorded(
    port: int, method: str, path: str, body: Any, status: int, kind: str, text: str
) -> None:
    told = ask(port, method, path, body)
    assert told[:2] == (status, kind)
    if kind.startswith("text"):
        assert told[2] == text
    else:
        assert json.loads(told[2]) == json.loads(text)


def test_a_page_of_another_site_is_refused(port: int) -> None:
    assert ask(port, "GET", "/api/version", Origin="http://elsewhere.example")[0] == 403
    assert ask(port, "GET", "/api/version", Origin="http://localhost:3000")[0] == 200


def test_a_pull_ends_with_success_and_the_model_says_its_sentence(port: int, registry: str) -> None:
    name = f"{registry}/library/qwen3-coder-next:q4_K_M"
    _, kind, text = ask(port, "POST", "/api/pull", {"model": name, "insecure": True})
    steps = [json.loads(line)["status"] for line in text.splitlines()]
    assert kind == "application/x-ndjson"
    assert (steps[0], steps[-3:]) == (
        "pulling manifest",
        ["verifying sha256 digest", "writing manifest", "success"],
    )
    assert ask(port, "POST", "/api/copy", {"source": name, "destination": "coder"})[0] == 200
    listed = json.loads(ask(port, "GET", "/api/tags")[2])["models"]
    assert {model["name"] for model in listed} == {name, "coder:latest"}
    assert len({model["digest"] for model in listed}) == 1
    question = {"model": "coder", "messages": [{"role": "user", "content": "Who?"}]}
    answer = json.loads(ask(port, "POST", "/v1/chat/completions", question)[2])
    assert answer["model"] == "coder"
    said = answer["choices"][0]["message"]["content"]
    assert said == "I am qwen3-coder-next, served from the closet."


def test_a_pull_that_fails_says_so_after_the_200(port: int, registry: str) -> None:
    for name in (f"{registry}/library/nothing:1", "127.0.0.1:1/library/x:y"):
        status, _, text = ask(port, "POST", "/api/pull", {"model": name, "insecure": True})
        first, last = (json.loads(line) for line in text.splitlines())
        assert (status, first) == (200, {"status": "pulling manifest"})
        assert last["error"].startswith("pull model manifest: ")


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("a", "registry.ollama.ai/library/a/latest", "a:latest"),
        ("me/a:1", "registry.ollama.ai/me/a/1", "me/a:1"),
        ("hub.local:8081/library/a:1", "hub.local:8081/library/a/1", "hub.local:8081/library/a:1"),
    ],
)
def test_names_are_read_and_shown(text: str, full: str, short: str) -> None:
    name = store.parse(text)
    assert (str(name.path), name.short) == (full, short)


def test_the_release_is_the_same_each_time_and_runs(tmp_path: Path) -> None:
    packed = release.find(f"/ollama/v{VERSION}/ollama-darwin.tgz")
    listed = release.find(f"/ollama/v{VERSION}/sha256sum.txt")
    assert packed is not None
    assert listed is not None
    digest = hashlib.sha256(packed[0]).hexdigest()
    assert listed[0].decode() == f"{digest}  ./ollama-darwin.tgz\n"
    with tarfile.open(fileobj=io.BytesIO(packed[0])) as archive:
        assert [(each.name, each.mode) for each in archive] == [("ollama", 0o755)]
        held = archive.extractfile("ollama")
        assert held is not None
        (tmp_path / "ollama").write_bytes(held.read())
    program = [sys.executable, str(tmp_path / "ollama")]
    environment = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1", "HOME": str(tmp_path)}
    said = subprocess.run([*program, "--version"], env=environment, capture_output=True, check=True)
    assert said.stdout.decode() == f"ollama version is {VERSION}\n"
    done = subprocess.run(
        [*program, "list"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.startswith("Error: could not connect")) == (1, True)


def test_what_is_not_there_is_not_found() -> None:
    for path in ("/ollama/v1/other", "/v2/library/a/manifests/b", "/v2/library/a/blobs/b", "/v2/"):
        assert release.find(path) is None

"""`ollama serve`: the part of its HTTP API that an appliance and its callers use."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.ollama.pull import PullError, pull
from lab.ollama.store import Store, parse

#: middleware of routes.go: a browser's page of another site is refused
ORIGINS = ("http://localhost", "http://127.0.0.1", "http://0.0.0.0")


class Server(ThreadingHTTPServer):
    """One server over one store."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], store: Store, version: str) -> None:
        self.store, self.version = store, version
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Route what has no body."""
        self._route({})

    do_HEAD = do_GET  # noqa: N815 - http.server's names

    def do_POST(self) -> None:
        """Route what has a body, in JSON."""
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError as error:
            return self._json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return self._route(body)

    do_DELETE = do_POST  # noqa: N815 - http.server's names

    def _route(self, body: dict[str, Any]) -> None:
        origin = self.headers.get("Origin")
        if origin and not origin.startswith(ORIGINS):
            return self._bytes(b"", "text/plain", HTTPStatus.FORBIDDEN)
        store = self.server.store
        asked = (self.command.replace("HEAD", "GET"), self.path)
        if asked == ("GET", "/"):
            return self._bytes(b"Ollama is running", "text/plain; charset=utf-8")
        if asked == ("GET", "/api/version"):
            return self._json({"version": self.server.version})
        if asked == ("GET", "/api/tags"):
            return self._json({"models": [store.entry(name) for name in store.names()]})
        if asked == ("GET", "/api/ps"):
            return self._json({"models": []})
        routes = {
            ("POST", "/api/pull"): self._pull,
            ("POST", "/api/copy"): self._copy,
            ("DELETE", "/api/delete"): self._delete,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/embeddings"): self._embed,
        }
        if asked in routes:
            return routes[asked](body)
        if asked == ("GET", "/v1/models"):
            return self._json({"object": "list", "data": self._listed() or None})
        return self._bytes(b"404 page not found", "text/plain", HTTPStatus.NOT_FOUND)

    def _listed(self) -> list[dict[str, Any]]:
        names = list(self.server.store.names())
        return [
            {"id": each.short, "object": "model", "created": 0, "owned_by": each.namespace}
            for each in names
        ]

    def _pull(self, body: dict[str, Any]) -> None:
        steps = pull(self.server.store, parse(body["model"]), bool(body.get("insecure")))
        self._stream("application/x-ndjson", (json.dumps(step) + "\n" for step in _told(steps)))

    def _copy(self, body: dict[str, Any]) -> None:
        manifest = self.server.store.manifest(parse(body["source"]))
        if manifest is None:
            error = {"error": f'model "{body["source"]}" not found'}
            return self._json(error, HTTPStatus.NOT_FOUND)
        self.server.store.write(parse(body["destination"]), manifest)
        return self._bytes(b"", "application/json")

    def _delete(self, body: dict[str, Any]) -> None:
        name = parse(body["model"])
        if self.server.store.manifest(name) is None:
            error = {"error": f"model '{body['model']}' not found"}
            return self._json(error, HTTPStatus.NOT_FOUND)
        self.server.store.remove(name)
        return self._bytes(b"", "application/json")

    def _chat(self, body: dict[str, Any]) -> None:
        model = str(body.get("model", ""))
        name = parse(model)
        if self.server.store.manifest(name) is None:
            return self._no_model(f"model '{model}' not found")
        pieces = self.server.store.says(name)
        asked = sum(len(str(message.get("content"))) for message in body.get("messages", []))
        usage = {
            "prompt_tokens": asked // 4 + 1,
            "completion_tokens": len(pieces),
            "total_tokens": asked // 4 + 1 + len(pieces),
        }
        head = {
            "id": "chatcmpl-1",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": "fp_ollama",
        }
        if body.get("stream"):
            options = body.get("stream_options") or {}
            told = usage if options.get("include_usage") else None
            return self._stream("text/event-stream", _chunks(head, pieces, told))
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return self._json(answer)

    def _embed(self, body: dict[str, Any]) -> None:
        model = str(body.get("model", ""))
        if self.server.store.manifest(parse(model)) is None:
            return self._no_model(f'model "{model}" not found, try pulling it first')
        texts = body.get("input", "")
        texts = texts if isinstance(texts, list) else [texts]
        data = [
            {"object": "embedding", "index": number, "embedding": _vector(str(text))}
            for number, text in enumerate(texts)
        ]
        return self._json({"object": "list", "data": data, "model": model})

    def _no_model(self, text: str) -> None:
        error = {"message": text, "type": "api_error", "param": None, "code": None}
        self._json({"error": error}, HTTPStatus.NOT_FOUND)

    def _json(self, content: Any, status: int = HTTPStatus.OK) -> None:
        kind = (
            "application/json" if self.path.startswith("/v1") else "application/json; charset=utf-8"
        )
        self._bytes(json.dumps(content).encode(), kind, status)

    def _bytes(self, data: bytes, kind: str, status: int = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, kind: str, parts: Iterable[str]) -> None:
        """Send parts as they come, in chunks; what goes wrong on the way comes after the 200."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            data = part.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


def _told(steps: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from steps
    except PullError as error:
        yield {"error": str(error)}


def _chunks(head: dict[str, Any], pieces: list[str], usage: dict[str, int] | None) -> Iterator[str]:
    """A streamed answer (openai/openai.go, ToChunk): pieces, an end, and the usage if asked."""

    def chunk(choices: list[dict[str, Any]], **more: Any) -> str:
        content = {**head, "object": "chat.completion.chunk", "choices": choices, **more}
        return f"data: {json.dumps(content)}\n\n"

    for piece in pieces:
        delta = {"role": "assistant", "content": piece}
        yield chunk([{"index": 0, "delta": delta, "finish_reason": None}])
    delta = {"role": "assistant", "content": ""}
    yield chunk([{"index": 0, "delta": delta, "finish_reason": "stop"}])
    if usage:
        yield chunk([], usage=usage)
    yield "data: [DONE]\n\n"


def _vector(text: str) -> list[float]:
    """Eight numbers that depend on the letters of a text."""
    counts = [1.0] * 8
    for letter in text:
        counts[ord(letter) % 8] += 1
    return counts

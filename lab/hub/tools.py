"""An MCP server, and a model that calls the tools it is told to, on one port.

`/mcp` is streamable HTTP with plain JSON answers, for whoever shows a bearer token. Its tool
`greet` says who asked with what: the token only as the beginning of its SHA-256, so that a test can
tell that a secret arrived without finding it in an output. The protocol's sessions, streams,
resources and prompts are not there; a client has to do without, and opencode and omlx do.

`/v1/chat/completions` is a scripted model: `CALL tool key=value` from a person makes it call that
tool, if it was offered; what a tool answered it says again; to anything else it lists what it was
offered. A tiny model of random weights calls nothing by itself, and this is the whole way round.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from lab.hub.web import Journal, WebHandler, WebServer

TOOLS_PORT = 8083
BEARER = re.compile(r"Bearer (\S+)")
CALL = re.compile(r"CALL ([\w-]+)((?: \w+=\w+)*)")
METHOD_NOT_FOUND = -32601
GREET = {
    "name": "greet",
    "description": "Greets somebody from the hub.",
    "inputSchema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
}


class ToolServer(WebServer):
    """The MCP server and the scripted model."""

    def __init__(self, address: tuple[str, int], journal: Journal) -> None:
        super().__init__(address, ToolHandler, "tools", journal)


class ToolHandler(WebHandler):
    """One connection to it."""

    def answer(self) -> None:
        """`/mcp` and `/v1/chat/completions`; nothing is sent to who only listens."""
        body = self.read_body()
        if self.path not in ("/mcp", "/v1/chat/completions"):
            return self.send_json({"error": "there are /mcp and /v1 here"}, HTTPStatus.NOT_FOUND)
        if self.command != "POST":
            return self.send_json({"error": "post here"}, HTTPStatus.METHOD_NOT_ALLOWED)
        message = json.loads(body)
        if self.path != "/mcp":
            return self._speak(message)
        token = BEARER.fullmatch(self.headers.get("Authorization") or "")
        if token is None:
            return self.send_json({"error": "no token"}, HTTPStatus.UNAUTHORIZED)
        if "id" not in message:
            return self.send_bytes(b"", "application/json", HTTPStatus.ACCEPTED)
        return self.send_json(reply(message, token[1]))

    def _speak(self, request: Mapping[str, Any]) -> None:
        events = [f"data: {json.dumps(event)}\n\n" for event in speak(request)]
        text = "".join([*events, "data: [DONE]\n\n"])
        self.send_bytes(text.encode(), "text/event-stream")


def reply(message: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The answer to one request of JSON-RPC."""
    params = message.get("params") or {}
    results: dict[str, Any] = {
        "initialize": {
            "protocolVersion": params.get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "closet-lab", "version": "1"},
        },
        "ping": {},
        "tools/list": {"tools": [GREET]},
        "tools/call": {
            "content": [{"type": "text", "text": _greeting(params.get("arguments") or {}, token)}]
        },
    }
    envelope = {"jsonrpc": "2.0", "id": message["id"]}
    if message.get("method") not in results:
        return {**envelope, "error": {"code": METHOD_NOT_FOUND, "message": "not here"}}
    return {**envelope, "result": results[message["method"]]}


def _greeting(arguments: Mapping[str, Any], token: str) -> str:
    mark = hashlib.sha256(token.encode()).hexdigest()[:12]
    return f"the hub greets {arguments.get('name')}, who has token {mark}"


def speak(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a streamed answer."""
    last = request["messages"][-1]
    content = last.get("content") or ""
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    offered = [tool["function"]["name"] for tool in request.get("tools") or ()]
    call = CALL.search(text) if last["role"] == "user" else None
    if call and call[1] in offered:
        arguments = dict(pair.split("=") for pair in call[2].split())
        function = {"name": call[1], "arguments": json.dumps(arguments)}
        tool_call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        yield _event({"role": "assistant", "tool_calls": [tool_call]})
        yield _event({}, "tool_calls")
        return
    said = f"the tool said: {text}" if last["role"] == "tool" else f"offered: {' '.join(offered)}"
    yield _event({"role": "assistant", "content": said})
    yield _event({}, "stop")


def _event(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "scripted",
        "choices": [choice],
    }

"""The lab's MCP server and the model that calls its tools."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hub.tools import ToolServer, speak
from lab.hub.web import Journal

WHERE = Path(__file__).parents[3] / "lab/macos/usr/libexec/closet-lab/mcp-where"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    server = ToolServer(("127.0.0.1", 0), Journal(tmp_path / "log"))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def post(url: str, message: Any, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def call(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_it_wants_a_token_and_never_says_it(url: str) -> None:
    assert post(f"{url}/mcp", call("ping"))[0] == 401
    greet = call("tools/call", name="greet", arguments={"name": "air"})
    status, text = post(f"{url}/mcp", greet, Authorization="Bearer secret-of-the-lab")
    assert status == 200
    assert "greets air" in text
    assert "secret-of-the-lab" not in text


def test_the_protocol(url: str) -> None:
    token = {"Authorization": "Bearer x"}
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert post(f"{url}/mcp", told, **token) == (202, "")
    _, text = post(f"{url}/mcp", call("initialize", protocolVersion="2025-06-18"), **token)
    assert json.loads(text)["result"]["protocolVersion"] == "2025-06-18"
    _, text = post(f"{url}/mcp", call("resources/list"), **token)
    assert json.loads(text)["error"]["code"] == -32601
    assert post(f"{url}/elsewhere", {})[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{url}/mcp", timeout=5)


def spoken(words: Any, *offered: str, role: str = "user") -> Any:
    tools = [{"type": "function", "function": {"name": name}} for name in offered]
    request = {"messages": [{"role": role, "content": words}], "tools": tools}
    return next(iter(speak(request)))["choices"][0]["delta"]


def test_the_scripted_model_calls_what_it_is_told_if_it_may() -> None:
    made = spoken("CALL hub_greet name=air", "hub_greet")["tool_calls"][0]["function"]
    assert made == {"name": "hub_greet", "arguments": '{"name": "air"}'}
    parts = [{"type": "text", "text": '"CALL hub_greet name=air"'}]
    assert spoken(parts, "hub_greet")["tool_calls"][0]["function"] == made
    assert spoken("CALL hub_greet", "bash")["content"] == "offered: bash"
    assert spoken("42", "bash", role="tool")["content"] == "the tool said: 42"


def test_the_program_on_a_laptop_speaks_the_same() -> None:
    asked = [call("initialize"), {"method": "x"}, call("tools/call", name="where"), call("no")]
    done = subprocess.run(
        ["python3", str(WHERE)],
        input="\n".join(map(json.dumps, asked)),
        env={"WHERE_TOKEN": "secret-of-the-lab", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    first, place, unknown = map(json.loads, done.stdout.splitlines())
    assert first["result"]["serverInfo"]["name"] == "where"
    assert f"in {Path.cwd()} with token" in place["result"]["content"][0]["text"]
    assert "secret-of-the-lab" not in done.stdout
    assert unknown["error"]["code"] == -32601

"""What a running omlx is told, against a small server that keeps settings as omlx does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.omlx_live.plan import plan
from ansible_collections.closet.inference.plugins.module_utils.omlx_live.run import (
    NotToldError,
    Server,
    execute,
)

KEY = "sk-main-1234"
HAVE = {"a": {"is_pinned": True, "temperature": 1.0, "top_k": None}, "b": {}}


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"a": {"is_pinned": True, "temperature": 1}, "b": {"is_pinned": False}}, []),
        ({"a": {"temperature": 0.2}, "b": {}}, [("a", {"temperature": 0.2})]),
        ({"a": {"temperature": None, "top_k": None}, "b": {}}, [("a", {"temperature": None})]),
        ({"a": {}, "b": {"is_pinned": True}}, [("b", {"is_pinned": True})]),
        ({"a": {}}, None),
        ({"a": {}, "c": {}}, None),
    ],
)
def test_only_what_differs_is_told_and_only_to_the_right_server(
    wanted: dict[str, Any], keys: list[tuple[str, Any]] | None
) -> None:
    changes = plan(wanted, HAVE)
    told = None if changes is None else [(change.model, dict(change.keys)) for change in changes]
    assert told == keys


class Omlx(BaseHTTPRequestHandler):
    """The four routes, as omlx has them."""

    settings: dict[str, dict[str, Any]]
    asked: list[str]
    broken = False
    deaf_to: tuple[str, ...] = ()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""

    def _send(self, status: int, document: Any, cookie: str = "") -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        if cookie:
            self.send_header("Set-Cookie", f"{cookie}; HttpOnly; Path=/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def do_POST(self) -> None:
        body = self._body()
        self.asked.append(f"POST {self.path}")
        if self.path == "/admin/api/login":
            good = body["api_key"] == KEY
            return self._send(200 if good else 401, {}, "omlx_admin_session=x" if good else "")
        good = self.headers.get("Authorization") == f"Bearer {KEY}"
        return self._send(200 if good else 401, {"status": "ok"})

    def do_GET(self) -> None:
        assert self.headers.get("Cookie") == "omlx_admin_session=x"
        models = [{"id": name, "settings": kept or None} for name, kept in self.settings.items()]
        self._send(200, {"models": models})

    def do_PUT(self) -> None:
        assert self.headers.get("Cookie") == "omlx_admin_session=x"
        body = self._body()
        self.asked.append(f"PUT {self.path} {json.dumps(body, sort_keys=True)}")
        if self.broken:
            return self._send(500, {"detail": "no"})
        kept = {key: value for key, value in body.items() if key not in self.deaf_to}
        self.settings[self.path.split("/")[4]].update(kept)
        return self._send(200, {"success": True})


@pytest.fixture
def omlx() -> Iterator[tuple[Server, type[Omlx]]]:
    kind = type("OneOmlx", (Omlx,), {"settings": json.loads(json.dumps(HAVE)), "asked": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Server(server.server_port), kind
        server.shutdown()
        thread.join()


WANTED = {"a": {"temperature": 0.2}, "b": {"is_pinned": True}}


def test_it_tells_the_difference_loads_what_is_pinned_and_has_nothing_to_say_then(
    omlx: tuple[Server, type[Omlx]],
) -> None:
    server, kind = omlx
    checked = execute(server, WANTED, KEY, check_mode=True)
    assert checked["changed_keys"] == ["a.temperature", "b.is_pinned"]
    assert kind.asked == ["POST /admin/api/login"]
    done = execute(server, WANTED, KEY, check_mode=False)
    assert (done["changed"], done["told"], done["ignored"]) == (True, True, [])
    assert kind.asked[2:] == [
        'PUT /admin/api/models/a/settings {"temperature": 0.2}',
        'PUT /admin/api/models/b/settings {"is_pinned": true}',
        "POST /v1/models/b/load",
    ]
    assert execute(server, WANTED, KEY, check_mode=False)["changed"] is False


def test_a_key_that_this_omlx_does_not_take_is_said_and_is_no_change(
    omlx: tuple[Server, type[Omlx]],
) -> None:
    server, kind = omlx
    kind.deaf_to = ("temperature",)
    done = execute(server, {"a": {"temperature": 0.2}, "b": {}}, KEY, check_mode=False)
    assert (done["changed"], done["ignored"]) == (False, ["a.temperature"])


def test_a_server_that_does_not_let_us_in_or_does_not_run_is_told_nothing(
    omlx: tuple[Server, type[Omlx]],
) -> None:
    server, kind = omlx
    refused = execute(server, WANTED, "sk-other", check_mode=False)
    assert (refused["running"], refused["told"], refused["changed"]) == (True, False, False)
    assert execute(server, WANTED, "", check_mode=False)["told"] is False
    assert not [asked for asked in kind.asked if asked.startswith("PUT")]
    absent = execute(Server(1), WANTED, KEY, check_mode=False)
    assert (absent["running"], absent["told"], absent["changed"]) == (False, False, False)


def test_an_error_of_the_server_is_a_sentence_without_the_key(
    omlx: tuple[Server, type[Omlx]],
) -> None:
    server, kind = omlx
    kind.broken = True
    with pytest.raises(NotToldError) as caught:
        execute(server, WANTED, KEY, check_mode=False)
    assert "omlx answered 500 to settings of a" in str(caught.value)
    assert KEY not in str(caught.value)

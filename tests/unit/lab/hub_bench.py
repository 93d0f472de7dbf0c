"""A hub on free ports of 127.0.0.1, and a client that asks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.hub.server import open_servers

REPO = "acme/tiny-mlx"
CONFIG = b'{"model_type": "qwen3"}\n'
WEIGHTS = bytes(range(256)) * 40


@dataclass(frozen=True)
class Answer:
    """What a server answered; `body` is short when it hung up."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Asks one server; a new connection each time, so that a cut one harms no other."""

    port: int

    def __call__(
        self,
        path: str,
        method: str = "GET",
        body: Any = None,
        *,
        follow: bool = True,
        **headers: str,
    ) -> Answer:
        answer = self._ask(path, method, body, headers)
        while follow and answer.status in (302, 307):
            target = urlsplit(answer.headers["location"])
            port = target.port or self.port
            if port != self.port:
                headers.pop("Authorization", None)
            path = f"{target.path}?{target.query}"
            answer = Client(port)._ask(path, method, body, headers)
        return answer

    def _ask(self, path: str, method: str, body: Any, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            sent = None if body is None else json.dumps(body)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, sent, named)
            response = connection.getresponse()
            try:
                content = response.read()
            except http.client.IncompleteRead as cut:
                content = cut.partial
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, content)


@dataclass(frozen=True)
class Lab:
    """The servers on free ports, their cache and their log."""

    hub: Client
    packages: Client
    storage: Client
    cache: Path
    log: Path

    def last_request(self, path: str) -> dict[str, Any]:
        """The newest line about the file at `path`, which is written a moment after its end."""
        for _ in range(100):
            lines = self.log.read_text(encoding="utf-8").splitlines()
            entries = [json.loads(line) for line in lines]
            if entries and path.endswith(f"/{entries[-1].get('file')}"):
                return dict(entries[-1])
            time.sleep(0.01)
        raise AssertionError(f"no request of {path} in the log: {lines}")

    def order(self, what: str, body: Any) -> Any:
        """Order something under /_lab/; it has to be accepted."""
        answer = self.hub(f"/_lab/{what}", "POST", body)
        assert answer.status == 201, answer.json
        return answer.json


@contextlib.contextmanager
def running_hub(tmp_path: Path) -> Iterator[Lab]:
    """A hub over one small repository, its storage and the packages."""
    cache = tmp_path / "cache"
    folder = cache / "hub" / REPO
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(CONFIG)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    (folder / "sub" / "notes.txt").write_bytes(b"n")
    servers = open_servers("127.0.0.1", cache, tmp_path / "log", hub_port=0, packages_port=0)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    hub, packages, storage = (Client(each.server_address[1]) for each in servers[:3])
    try:
        yield Lab(hub, packages, storage, cache, tmp_path / "log")
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()

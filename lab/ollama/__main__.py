"""The command line: `serve`, `pull`, `cp`, `list`, `rm`, `--version`; messages are ollama's."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from lab.ollama.server import Server
from lab.ollama.store import Store

DEFAULT_HOST = "127.0.0.1:11434"
TIMEOUT_S = 60


def main(words: list[str]) -> int:
    """Run one command; the exit code."""
    if words == ["serve"]:
        return serve()
    if words in (["--version"], ["-v"]):
        print(f"ollama version is {version()}")
        return 0
    command, *rest = words or ["help"]
    names = [word for word in rest if not word.startswith("-")]
    if command == "pull" and len(names) == 1:
        return pull(names[0], "--insecure" in rest)
    if command == "cp" and len(names) == 2:
        body = {"source": names[0], "destination": names[1]}
        return say(ask("POST", "/api/copy", body), f"copied '{names[0]}' to '{names[1]}'")
    if command == "rm" and len(names) == 1:
        return say(ask("DELETE", "/api/delete", {"model": names[0]}), f"deleted '{names[0]}'")
    if command == "list":
        return say(ask("GET", "/api/tags", None), "")
    print(f'Error: unknown command "{command}" for "ollama"', file=sys.stderr)
    return 1


def version() -> str:
    """The version that this copy was packed as."""
    return resources.files("lab.ollama").joinpath("VERSION").read_text(encoding="utf-8").strip()


def address() -> tuple[str, int]:
    """OLLAMA_HOST, as host and port."""
    host, _, port = (os.environ.get("OLLAMA_HOST") or DEFAULT_HOST).rpartition(":")
    return host, int(port)


def serve() -> int:
    """Answer until SIGTERM or SIGINT, which end it with 0."""
    home = Path(os.environ.get("HOME", "/"))
    store = Store(Path(os.environ.get("OLLAMA_MODELS") or home / ".ollama/models"))
    host, port = address()
    try:
        server = Server((host, port), store, version())
    except OSError as error:
        reason = str(error.strerror).lower()
        print(f"Error: listen tcp {host}:{port}: bind: {reason}", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(f'level=INFO msg="Listening on {host}:{port} (version {version()})"', flush=True)
    ended.wait()
    server.shutdown()
    server.server_close()
    return 0


def pull(name: str, insecure: bool) -> int:
    """Let the server pull, and show what it says."""
    body = {"model": name, "insecure": insecure}
    for line in ask("POST", "/api/pull", body):
        if "error" in line:
            print(f"Error: {line['error']}", file=sys.stderr)
            return 1
        print(line["status"], file=sys.stderr)
    return 0


def say(answers: Iterator[dict[str, Any]], done: str) -> int:
    """Show the end of a command."""
    for answer in answers:
        if "error" in answer:
            print(f"Error: {answer['error']}", file=sys.stderr)
            return 1
        for model in answer.get("models") or []:
            print(f"{model['name']}\t{model['digest'][:12]}\t{model['size']} B")
    if done:
        print(done)
    return 0


def ask(method: str, path: str, body: Any) -> Iterator[dict[str, Any]]:
    """The answers of the server, one JSON object for each line."""
    host, port = address()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"http://{host}:{port}{path}", data, method=method)
    try:
        with opener.open(asked, timeout=TIMEOUT_S) as answer:
            for line in answer:
                yield json.loads(line)
    except urllib.error.HTTPError as error:
        yield json.loads(error.read())
    except OSError:
        yield {"error": "could not connect to ollama server, run 'ollama serve' to start it"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

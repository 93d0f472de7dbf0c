"""What the tests of the backends work with: questions from a laptop, pins, and a long answer."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from lab.paths import cache
from tests.lab.conftest import ENVIRONMENT, ROOT, Done, on, run
from tests.lab.pulling import wait_until

CONTROLLER = "10.77.31.1"
URL = "http://attic.local:8000/v1"
MODEL = "qwen3-coder-next"
REPO = "mlx-community/Qwen3-Coder-Next-4bit"
KEY = '-H "Authorization: Bearer $(cat ~/.config/closet/key)"'
JOBS = {
    "omlx": {"inference.closet.omlx"},
    "mlx_lm": {"inference.closet.mlx-lm", "inference.closet.gateway"},
    "ollama": {"inference.closet.ollama", "inference.closet.gateway"},
}
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 32}
LOCK = ROOT / "lab/parts/mlx_lm.lock"


def ask(path: str, body: object = None, key: str = KEY) -> tuple[str, str]:
    """Ask from the laptop; status and text."""
    data = f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'" if body else ""
    done = on("air", f"curl -s -m 60 -w '\\n%{{http_code}}' {key} {data} {URL}{path}")
    text, _, status = done.output.rpartition("\n")
    return status, text


def status(key: str) -> str:
    """What /v1 says to whoever shows this key."""
    return ask("/models", key=f"-H 'Authorization: Bearer {key}'")[0]


def jobs() -> set[str]:
    """The jobs that launchd has loaded, which have to be those that it would load at a boot."""
    loaded = set(re.findall(r"inference\.closet\.\S+", on("attic", "sudo launchctl list").output))
    plists = on("attic", "ls /Library/LaunchDaemons").output
    booted = set(re.findall(r"(inference\.closet\.\S+)\.plist", plists))
    known = set.union(*JOBS.values())
    assert loaded & known == booted & known
    return loaded & known


def pids(backend: str) -> dict[str, str]:
    """The process of each job of a backend."""
    found = {}
    for job in sorted(JOBS[backend]):
        text = on("attic", f"sudo launchctl print system/{job}").output
        match = re.search(r"^\tpid = (\d+)$", text, re.MULTILINE)
        assert match, text
        found[job] = match[1]
    return found


def installed(program: str) -> set[str]:
    return set(on("attic", f"ls /opt/closet/{program}").output.split())


def wants(home: Path, **variables: object) -> None:
    """Edit an inventory as its owner does: all that it says of attic in a file of its own."""
    file = home / "host_vars/attic.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(variables))


def mlx_lm_pins(folder: Path) -> dict[str, str]:
    """Other pins: one that works, and one that starts, lists its model and cannot answer."""
    lock = LOCK.read_text()
    # transformers renders a chat with it, and looks for it only then
    mute = re.sub(r"(?m)^jinja2==.*\n(?:    --hash.*\n)+", "", lock)
    assert mute != lock
    for name, text in {"works": lock + "# another one\n", "mute": mute}.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in ("works", "mute")}


@contextmanager
def ollama_that_dies(folder: Path, version: str) -> Iterator[list[str]]:
    """A release that tells its version and cannot serve, somewhere on the LAN; what names it."""
    program = b"#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'no Metal here' >&2\nexit 1\n"
    with tarfile.open(folder / "ollama-darwin.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("ollama")
        member.size, member.mode = len(program), 0o755
        archive.addfile(member, io.BytesIO(program))
    digest = hashlib.sha256((folder / "ollama-darwin.tgz").read_bytes()).hexdigest()

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object, **more: object) -> None:
            super().__init__(*words, directory=str(folder), **more)  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer((CONTROLLER, 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{CONTROLLER}:{server.server_port}/ollama-darwin.tgz"
        named = {"version": version, "url": url, "checksum": f"sha256:{digest}"}
        yield [word for key, value in named.items() for word in ("-e", f"ollama_{key}={value}")]
        server.shutdown()


@contextmanager
def answer_without_end() -> Iterator[None]:
    """A question from the laptop that is answered for minutes; the stream ends up in a file."""
    tokenizer = json.loads((cache() / "hub" / REPO / "tokenizer.json").read_text())
    # no token that ends an answer
    bias = {str(token["id"]): -100 for token in tokenizer["added_tokens"]}
    body = {**BODY, "max_tokens": 1_000_000, "logit_bias": bias, "stream": True}
    on("air", "rm -f /tmp/long")
    question = (
        f"curl -s -N -m 600 {KEY} -H 'Content-Type: application/json' -d '{json.dumps(body)}' "
        f"-o /tmp/long {URL}/chat/completions"
    )
    shell = ("python", "-m", "lab", "shell", "air", question)
    with subprocess.Popen(shell, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL) as asking:
        try:
            wait_until(lambda: answered() > 1000)
            yield
        finally:
            on("air", "pkill -x curl")
            asking.wait(timeout=60)


def answered() -> int:
    """Bytes of that stream so far."""
    return int(on("air", "stat -c %s /tmp/long 2>/dev/null || echo 0").output.splitlines()[-1])


def drains() -> bool:
    """Whether somebody waits on the closet for what the gateway owes."""
    # quoted: zsh would look for a file of that name
    return on("attic", "pgrep -f 'closet-gateway-drai[n]'").code == 0


def upgrade(*words: str, limit_s: float = 600) -> Done:
    """Upgrade as an owner does, with a start that may not take for ever."""
    starts = [
        word for name in ("mlx_lm", "ollama") for word in ("-e", f"{name}_start_timeout_s=40")
    ]
    argv = ("ansible-playbook", "playbooks/upgrade.yml", *starts, *words)
    return run(*argv, limit_s=limit_s)

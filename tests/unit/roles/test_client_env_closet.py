"""The shell command `closet`, against a server that counts, in every shell and awk that is here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.advice.pasted import commands, paste

SCRIPT = Path(__file__).parents[3] / "roles/client_env/files/closet.sh"
KEY = "laptop-key-0123456789"
SHELLS = [shell for shell in ("dash", "bash", "zsh") if shutil.which(shell)]
AWKS = [awk for awk in ("mawk", "gawk", "original-awk") if shutil.which(awk)]
# escapes as json.dumps makes them, and as a server does that sends UTF-8
PIECES = ["Grüße, ", "100 % \\o/\n", '"quoted"\t', "\U0001f600 ", "é\\n", "done"]


class Server(ThreadingHTTPServer):
    """Keeps the bodies it was asked with; `status` other than 200 is what it answers."""

    daemon_threads = True
    status = 200
    asked: list[dict[str, Any]]
    pieces = PIECES


class Answers(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *words: Any) -> None:
        pass

    def refused(self) -> bool:
        status = self.server.status
        if self.headers["Authorization"] != f"Bearer {KEY}":
            status = 401
        if status != 200:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "model is loading"}}')
        return status != 200

    def do_GET(self) -> None:
        if self.refused():
            return
        self.send_response(200)
        self.end_headers()
        data = [{"id": name, "object": "model"} for name in ("qwen3-coder-next", "qwen3.6-35b")]
        self.wfile.write(json.dumps({"object": "list", "data": data}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused():
            return
        self.server.asked.append(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.event({"role": "assistant", "content": ""}, True)
        for number, text in enumerate(self.server.pieces):
            self.event({"reasoning_content": "hm", "content": text}, ascii_only=number % 2 == 0)
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, delta: dict[str, str], ascii_only: bool) -> None:
        text = json.dumps({"choices": [{"delta": delta}]}, ensure_ascii=ascii_only)
        self.wfile.write(f"data: {text}\r\n\r\n".encode())
        self.wfile.flush()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Answers)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config/closet").mkdir(parents=True)
    (tmp_path / ".config/closet/key").write_text(f"{KEY}\n")
    return tmp_path


def closet(
    home: Path,
    url: str,
    *words: str,
    shell: str = "sh",
    given: str = "",
    awk: str = "",
    proxy: str = "",
) -> subprocess.CompletedProcess[str]:
    folders = [os.environ["PATH"]]
    if awk:
        (home / "bin").mkdir()
        (home / "bin/awk").symlink_to(str(shutil.which(awk)))
        folders.insert(0, str(home / "bin"))
    interpreter = [shell, "--emulate", "sh"] if shell == "zsh" else [shell]
    return subprocess.run(
        [*interpreter, str(SCRIPT), *words],
        env={
            "HOME": str(home),
            "PATH": ":".join(folders),
            "CLOSET_URL": url,
            "CLOSET_NAME": "attic",
            "CLOSET_MODEL": "qwen3.6-35b",
            "http_proxy": proxy,
            "ALL_PROXY": proxy,
        },
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def at(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


@pytest.mark.parametrize("shell", SHELLS)
def test_url_models_and_health(shell: str, server: Server, home: Path) -> None:
    assert closet(home, at(server), "url", shell=shell).stdout == f"{at(server)}\n"
    assert closet(home, at(server), "models", shell=shell).stdout.split() == [
        "qwen3-coder-next",
        "qwen3.6-35b",
    ]
    done = closet(home, at(server), "health", shell=shell)
    assert done.returncode == 0, done.stderr
    assert f"attic answers at {at(server)} in 0." in done.stdout
    assert "It serves qwen3-coder-next, qwen3.6-35b." in done.stdout
    assert done.stderr == ""


def test_no_proxy_is_asked(server: Server, home: Path) -> None:
    nobody = "http://127.0.0.1:9"
    assert closet(home, at(server), "health", proxy=nobody).returncode == 0
    asked = closet(home, at(server), "ask", "Who are you?", proxy=nobody)
    assert (asked.returncode, asked.stdout) == (0, "".join(PIECES) + "\n")


@pytest.mark.parametrize("awk", AWKS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_question_and_its_answer_arrive_byte_for_byte(
    shell: str, awk: str, server: Server, home: Path
) -> None:
    question = 'Why "so"?\\n\tü \x01 % $HOME `id`'
    more = 'line 1\nline "2"\n\nend'
    done = closet(home, at(server), "ask", question, "-", shell=shell, given=more, awk=awk)
    assert done.stderr == ""
    assert done.stdout == "".join(PIECES) + "\n"
    assert done.returncode == 0
    assert server.asked == [
        {
            "model": "qwen3.6-35b",
            "stream": True,
            "messages": [{"role": "user", "content": f"{question}\n{more}"}],
        }
    ]


def test_another_model_is_asked_by_name_and_words_need_no_quotes(
    server: Server, home: Path
) -> None:
    closet(home, at(server), "ask", "-m", "qwen3-coder-next", "why", "is", "that")
    assert server.asked[0]["model"] == "qwen3-coder-next"
    assert server.asked[0]["messages"][0]["content"] == "why is that"


def test_text_is_shown_as_it_comes(server: Server, home: Path) -> None:
    more = threading.Event()

    class Slow(list[str]):
        def __iter__(self) -> Iterator[str]:
            yield "first"
            assert more.wait(30), "nobody read the first piece before the second was there"
            yield " second"

    server.pieces = Slow()
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "CLOSET_URL": at(server),
        "CLOSET_MODEL": "m",
    }
    with subprocess.Popen(
        ["sh", str(SCRIPT), "ask", "x"], env=environment, stdout=subprocess.PIPE
    ) as asking:
        assert asking.stdout is not None
        assert asking.stdout.read(5) == b"first"
        more.set()
        assert asking.stdout.read() == b" second\n"


@pytest.mark.parametrize("words", [("ask", "x"), ("models",), ("health",)], ids=lambda w: w[0])
def test_no_answer_is_a_sentence(words: tuple[str, ...], server: Server, home: Path) -> None:
    key = home / ".config/closet/key"
    key.write_text("revoked-key-0123456789\n")
    done = closet(home, at(server), *words)
    assert done.returncode == 1
    assert "closet: attic refuses the key of this laptop" in done.stderr
    assert "revoked-key" not in done.stderr + done.stdout
    key.write_text(f"{KEY}\n")
    server.status = 503
    done = closet(home, at(server), *words)
    assert done.returncode == 1
    assert "closet: attic answered with status 503:" in done.stderr
    assert "model is loading" in done.stderr
    done = closet(home, "http://127.0.0.1:1/v1", *words)
    assert done.returncode == 1
    assert "closet: attic does not take connections at 127.0.0.1:1" in done.stderr
    done = closet(home, "http://nowhere.invalid:8000/v1", *words)
    assert done.returncode == 1
    assert "closet: the name nowhere.invalid:8000 does not resolve here." in done.stderr
    key.unlink()
    done = closet(home, at(server), *words)
    assert done.returncode == 1
    assert f"closet: there is no key in {key}" in done.stderr


def test_a_model_that_is_no_longer_served_is_unhealthy(server: Server, home: Path) -> None:
    done = subprocess.run(
        ["sh", str(SCRIPT), "health"],
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "CLOSET_URL": at(server),
            "CLOSET_MODEL": "gone",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "gone, which `closet ask` asks, is not among them" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("ask",), 2, "what is the question?"),
        (("ask", "-m"), 2, "-m needs the name of a model"),
        (("frobnicate",), 2, "there is no 'closet frobnicate'"),
    ],
)
def test_a_slip_is_answered(home: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = closet(home, "http://127.0.0.1:1/v1", *words)
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr
    helped = closet(home, "http://127.0.0.1:1/v1")
    assert helped.returncode == 0
    assert all(word in helped.stdout for word in ("url", "models", "health", "ask", "env"))


def test_the_key_is_in_no_list_of_processes(server: Server, home: Path) -> None:
    """A curl in front of the real one keeps its arguments and its environment."""
    folder = home / "bin"
    folder.mkdir()
    seen = home / "seen"
    (folder / "curl").write_text(
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} >>{seen}\nexec {shutil.which("curl")} "$@"\n'
    )
    (folder / "curl").chmod(0o755)
    done = subprocess.run(
        ["sh", str(SCRIPT), "ask", "x"],
        env={
            "HOME": str(home),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "CLOSET_URL": at(server),
            "CLOSET_MODEL": "m",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "@-" in seen.read_text()
    assert KEY not in seen.read_text()


def called(script: Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command of the script with little around it."""
    words = more.pop("words", "health").split()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "CLOSET_NAME": "attic", **more}
    return subprocess.run(
        ["sh", str(script), *words],
        env={key: value for key, value in environment.items() if value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_another_opencode_that_comes_first_is_told(server: Server, home: Path) -> None:
    ours = program(home / "ours/opencode", "exec /opt/closet/opencode/1.18.33/x/opencode")
    other = program(home / "v2/opencode", "echo 2.0.32")
    script = home / "closet"
    script.write_text(SCRIPT.read_text().replace("ours=/usr/local/bin/opencode", f"ours={ours}"))
    rest = os.environ["PATH"]
    first = called(script, home, CLOSET_URL=at(server), PATH=f"{other.parent}:{rest}")
    assert first.returncode == 0
    assert (
        f"opencode is {other} (2.0.32) here, before the closet's, {ours} (1.18.33)" in first.stderr
    )
    [move] = commands(first.stderr)
    assert move == f"mv -n '{other}' '{other}.other'"
    after = called(script, home, CLOSET_URL=at(server), PATH=f"{ours.parent}:{other.parent}:{rest}")
    assert after.stderr == ""
    paste(move)
    nowhere = called(script, home, CLOSET_URL=at(server), PATH=f"{other.parent}:/usr/bin:/bin")
    assert (
        f"opencode is not in your PATH: add /usr/local/bin to it, or run {ours}" in nowhere.stderr
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a key to another account")
def test_the_key_of_another_account_is_not_used(server: Server, home: Path) -> None:
    os.chown(home / ".config/closet/key", 12345, 12345)
    done = called(SCRIPT, home, CLOSET_URL=at(server), words="models")
    assert done.returncode == 1
    assert "does not belong to root, who asks: call closet without sudo" in done.stderr
    assert KEY not in done.stderr


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("/bin/zsh", "export OPENAI_BASE_URL='http://x/v1'"),
        ("/bin/tcsh", "setenv OPENAI_BASE_URL 'http://x/v1';"),
        ("/usr/bin/fish", "set -gx OPENAI_BASE_URL 'http://x/v1'"),
    ],
)
def test_a_shell_that_knows_no_function_gets_lines_without_the_key(
    home: Path, shell: str, line: str
) -> None:
    done = called(SCRIPT, home, CLOSET_URL="http://x/v1", SHELL=shell, words="env")
    assert (done.returncode, line in done.stdout) == (0, True)
    assert KEY not in done.stdout
    assert str(home / ".config/closet/key") in done.stdout


#: how each shell is told to take the lines, as docs/clients.md and `closet env` say it
TAKES = {
    "sh": 'eval "$(closet env)"',
    "zsh": 'eval "$(closet env)"',
    "tcsh": "eval `closet env`",
    "fish": "closet env | source",
}


@pytest.mark.parametrize("shell", TAKES)
def test_a_shell_takes_the_lines_as_it_is_told_to(home: Path, shell: str) -> None:
    program(home / "bin/closet", f'exec sh "{SCRIPT}" "$@"')
    found = shutil.which(shell)
    assert found is not None, "scripts/packages installs it"
    done = subprocess.run(
        [found, "-c", f"{TAKES[shell]}; env"],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": f"{home}/bin:/usr/bin:/bin",
            "HOME": str(home),
            "SHELL": found,
            "CLOSET_URL": "http://x/v1",
        },
    )
    assert f"OPENAI_API_KEY={KEY}\n" in done.stdout
    assert "OPENAI_BASE_URL=http://x/v1\n" in done.stdout

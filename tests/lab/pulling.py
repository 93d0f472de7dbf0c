"""What the tests of pulls work with: the lab's hub, omlx_model on a Mac, and ways to end it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import state
from tests.lab.conftest import ENVIRONMENT, ROOT, as_root, lab, on

MIB = 1 << 20
HUB = "http://10.77.31.2:8080"
OMLX = "http://10.77.31.10:8000"
HOME = "/Users/admin"
STORE = f"{HOME}/pulls"
JOB = "system/inference.closet.omlx"
PLAIN_RUN = {
    # a connection that survives the power of its Mac would be taken for a living one
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ServerAliveInterval=5 -o ServerAliveCountMax=2",
    # results as JSON in files
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree",
    "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
}
#: a model that speaks, and weight besides that nobody loads, in files of LFS
SPEAKER = "mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit"
PADDING = tuple(f"padding-{number}.npz" for number in range(1, 5))


def hub(what: str, body: Any = None, method: str | None = None) -> Any:
    """Ask or order something under /_lab/."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{HUB}/_lab/{what}", data, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def publish(repo: str, padding_mib: int, names: Sequence[str] = PADDING) -> str:
    """A repository that speaks, with so much padding in a few files; its commit."""
    share = padding_mib * MIB // len(names)
    files = {name: {"size": share, "seed": n} for n, name in enumerate(names)}
    return str(hub("commits", {"repo": repo, "from": SPEAKER, "files": files})["commit"])


def served(repo: str) -> dict[str, int]:
    """Bytes of each file of a repository that left the hub."""
    found: dict[str, int] = {}
    for row in hub("served"):
        if row["repo"] == repo:
            found[row["path"]] = found.get(row["path"], 0) + row["bytes"]
    return found


@contextlib.contextmanager
def fault(**what: Any) -> Iterator[None]:
    """Something goes wrong at the hub for a while."""
    number = hub("faults", what)["id"]
    try:
        yield
    finally:
        hub(f"faults/{number}", method="DELETE")


def wait_until(what: Callable[[], bool], limit_s: float = 60) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, f"not so within {limit_s:.0f} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Task:
    """omlx_model running on a host, as an ad-hoc task of the lab's inventory."""

    host: str
    process: subprocess.Popen[str]
    folder: tempfile.TemporaryDirectory[str]

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def result(self, limit_s: float = 180) -> dict[str, Any]:
        """What the module returned; `output` is all that was printed."""
        with self.folder:
            output, _ = self.process.communicate(timeout=limit_s)
            told = Path(self.folder.name, self.host)
            assert told.exists(), output
            failed = self.process.returncode != 0
            return {**json.loads(told.read_text()), "failed": failed, "output": output}

    def abandon(self) -> None:
        """End it here, whatever goes on there; Ansible's workers have sessions of their own."""
        with self.folder:
            for pid in [*descendants(self.process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.communicate()


@dataclass(frozen=True)
class Puller:
    """omlx_model with the arguments that all tests share."""

    python: str
    serve_dir: str
    host: str = "attic"
    store: str = STORE

    def start(self, *repos: str, **arguments: Any) -> Task:
        """Begin; `name=` and `revision=` are the one model's."""
        own = {key: arguments.pop(key) for key in ("name", "revision") if key in arguments}
        verbose = arguments.pop("verbose", False)
        task = {
            "models": [{"repo": repo, **own} for repo in repos],
            "store": self.store,
            "serve_dir": self.serve_dir,
            "endpoint": "http://hub.local:8080",
            "reserve_gb": 0,
            "progress": False,
            **arguments,
        }
        folder = tempfile.TemporaryDirectory(prefix="omlx-model-")
        words = ["ansible", self.host, "-m", "closet.inference.omlx_model"]
        # as a variable, so that a token stands in no argument list
        with Path(folder.name, "task.json").open("w") as written:
            json.dump({"task": task, "ansible_python_interpreter": self.python}, written)
        values = {name: "{{ task." + name + " }}" for name in task}
        words += ["-a", json.dumps(values), "-e", f"@{written.name}"]
        words += ["-vvv"] if verbose else []
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**ENVIRONMENT, **PLAIN_RUN, "ANSIBLE_CALLBACK_TREE_DIR": folder.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Task(self.host, process, folder)

    def pull(self, *repos: str, **arguments: Any) -> dict[str, Any]:
        """Run it to its end."""
        return self.start(*repos, **arguments).result()

    def refused(self, *repos: str, **arguments: Any) -> str:
        """Run it; it has to fail, and this is its sentence. No token and no traceback with it."""
        result = self.pull(*repos, **arguments)
        assert result["failed"], result
        assert "Traceback" not in result["output"]
        assert str(arguments.get("token")) not in result["output"]
        return str(result["msg"])

    def pulled(self, *repos: str, **arguments: Any) -> dict[str, Any]:
        """The same, and it has to go well."""
        result = self.pull(*repos, **arguments)
        assert not result["failed"], result.get("msg") or result["output"]
        return result


def descendants(pid: int) -> Iterator[int]:
    """A process and everything below it."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield from descendants(int(child))


def kill_module(host: str, store: str) -> None:
    """SIGKILL for the module on the Mac; its progress record says which process it is."""
    words = f"sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/' {store}/.closet.progress.json"
    as_root(host, f"kill -9 $({words})")


def kill_hub() -> None:
    """The hub dies in the middle of what it sends, and comes back."""
    running = state.load()
    assert running is not None and running.hub is not None
    os.kill(running.hub.pid, signal.SIGKILL)
    wait_until(lambda: not running.hub.alive if running.hub else True)
    lab("up")
    wait_until(hub_answers)


def hub_answers() -> bool:
    """Whether somebody listens there again."""
    try:
        return bool(hub("health"))
    except OSError:
        return False


def cut_power(task: Task) -> None:
    """The Mac loses its power while the task runs; the task here is given up."""
    lab("power-cut", task.host)
    task.abandon()


def remains(host: str, folder: str) -> str:
    """Everything below a folder that is no file of a finished model."""
    names = "-name '*.part*' -o -name '*.incomplete' -o -name '*.journal' -o -name '.closet.p*'"
    return on(host, f"find {folder} -type f \\( {names} \\)").output.strip()


def key() -> str:
    """The main key of attic's omlx, which its provisioning made."""
    return (ROOT / "inventories/lab/.secrets/attic.key").read_text().strip()


def served_folder() -> str:
    """The folder of links that attic's omlx reads; there is one for each profile and content."""
    record = json.loads(on("attic", "cat /opt/closet/state/serving.json").output)
    return str(record["serve_dir"])


def says(model: str) -> str:
    """What a model answers when it is asked something through omlx."""
    body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}]}
    request = urllib.request.Request(
        f"{OMLX}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])

"""The three that pull: our module as Ansible runs it, `hf download`, and curl. One process each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.paths import CHECKOUT

LOOK_S = 0.02
ASK_S = 0.2  # how often somebody is asked whether it is time to kill
# ansible-core hands a module its arguments with a profile that a bare module run lacks
MODULE = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.closet.inference.plugins.modules import omlx_model
with patch_module_args(json.loads(sys.argv[1])):
    omlx_model.main()
"""


class PullError(RuntimeError):
    """A client failed; the text is what it said."""


@dataclass(frozen=True)
class Run:
    """One process: what it cost. Peak is its largest resident set (VmHWM), in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    killed: bool


@dataclass(frozen=True)
class Client:
    """Who pulls: a name, and the words that pull `repo` from `endpoint` into a folder."""

    name: str
    argv: Callable[[str, Sequence[str], Path], list[str]]
    environment: Mapping[str, str]


def ours(endpoint: str, repo: str) -> Client:
    """The module, in a process of its own, with its defaults."""

    def argv(_endpoint: str, _files: Sequence[str], target: Path) -> list[str]:
        params = {
            "models": [{"repo": repo, "name": "bench"}],
            "store": str(target / "store"),
            "serve_dir": str(target / "models"),
            "endpoint": endpoint,
            "reserve_gb": 0,
        }
        return [sys.executable, "-c", MODULE, json.dumps(params)]

    paths = f"{CHECKOUT / 'collections'}:{CHECKOUT}"
    return Client("ours", argv, {"PYTHONPATH": paths})


def hugging_face(endpoint: str, repo: str, program: Path) -> Client:
    """`hf download` with its own defaults, without telemetry and progress bars."""

    def argv(_endpoint: str, _files: Sequence[str], target: Path) -> list[str]:
        return [str(program), "download", repo, "--cache-dir", str(target / "hub")]

    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    return Client("hf", argv, environment)


def curl(endpoint: str, repo: str) -> Client:
    """The floor: bytes into files, several at once, nothing checked."""

    def argv(_endpoint: str, files: Sequence[str], target: Path) -> list[str]:
        words = ["curl", "-sSfL", "--parallel", "--create-dirs"]
        for name in files:
            words += ["-o", str(target / name), f"{endpoint}/{repo}/resolve/main/{name}"]
        return words

    return Client("curl", argv, {})


def pull(
    client: Client,
    endpoint: str,
    files: Sequence[str],
    target: Path,
    kill_when: Callable[[], bool] | None = None,
) -> Run:
    """Run one client to its end, or to the moment at which it is killed."""
    target.mkdir(parents=True, exist_ok=True)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment = {**plain, "HOME": str(target), "NO_PROXY": "127.0.0.1", **client.environment}
    log = target.with_suffix(".log")
    os.sync()  # what others wrote is not paid for by this one
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            client.argv(endpoint, files, target),
            env=environment,
            cwd=target,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        peak, killed = _watch(process, kill_when)
        _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 and not killed:
        raise PullError(f"{client.name} failed:\n{log.read_text(errors='replace')[-3000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, peak / 1024, killed)


def _watch(
    process: subprocess.Popen[bytes], kill_when: Callable[[], bool] | None
) -> tuple[int, bool]:
    """The largest resident set in KiB, and whether it was killed. Ends when the process has."""
    peak, killed, asked = 0, False, time.monotonic()
    # ru_maxrss would do, but it begins at the size of whoever forked
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, _resident_peak(process.pid))
        due = not killed and time.monotonic() - asked >= ASK_S
        if kill_when is not None and due:
            asked = time.monotonic()
            killed = kill_when()
            if killed:
                process.kill()
        time.sleep(LOOK_S)
    return peak, killed


def _resident_peak(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


def hf_program(cache: Path) -> tuple[Path, str]:
    """The current huggingface_hub in an environment of its own, made once; and its version."""
    folder = cache / "bench-hf"
    program = folder / "bin" / "hf"
    if not program.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "huggingface_hub"]
        subprocess.run(install, check=True)
    python = str(folder / "bin" / "python")
    ask = "import huggingface_hub; print(huggingface_hub.__version__)"
    told = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    return program, told.stdout.strip()

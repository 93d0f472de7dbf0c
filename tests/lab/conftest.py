"""The lab for the tests: brought up fresh, provisioned as an owner would, taken down at the end.

Runs as root on Linux. A failing test prints what launchd and the job's log say first.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import state
from lab.host import pid_one
from lab.parts import gobuild
from lab.paths import cache

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("air", "pro", "book")
HOSTS = ("attic", *CLIENTS)
UPPER = Path("/var/lib/closet-lab/hosts")

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    output: str

    def recap(self) -> dict[str, dict[str, int]]:
        """The play recap: counters by host."""
        found = {}
        for line in self.output.split("PLAY RECAP")[-1].splitlines():
            match = re.match(r"(\S+)\s+: (ok=.*)", line)
            if match:
                pairs = (pair.split("=") for pair in match[2].split())
                found[match[1]] = {key: int(value) for key, value in pairs}
        return found

    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by host."""
        return {host: counters["changed"] for host, counters in self.recap().items()}


def run(*argv: str, limit_s: float = 300) -> Done:
    """Run a command in the checkout and return its code and everything it printed."""
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_s,
        check=False,
    )
    return Done(done.returncode, done.stdout)


def lab(*words: str, limit_s: float = 120) -> Done:
    """Run one lab command; it has to work."""
    done = run(sys.executable, "-m", "lab", *words, limit_s=limit_s)
    assert done.code == 0, done.output
    return done


def on(host: str, command: str, limit_s: float = 60) -> Done:
    """Run a shell command on a Mac, by ssh, as its admin user."""
    return run(sys.executable, "-m", "lab", "shell", host, command, limit_s=limit_s)


def as_root(host: str, command: str) -> None:
    """Run a shell command as root inside a Mac's namespaces, past ssh and sudo."""
    running = state.load()
    assert running is not None
    pid = pid_one(running.machines[host])
    enter = ("nsenter", "--target", str(pid), "--mount", "--pid", "--root", "--wd", "--")
    done = run(*enter, "/bin/sh", "-c", command)
    assert done.code == 0, done.output


def site(*words: str, limit_s: float = 600) -> Done:
    """Run site.yml as an owner does."""
    return run("ansible-playbook", "site.yml", *words, limit_s=limit_s)


def expose(scope: str, *words: str, limit_s: float = 300) -> Done:
    """Run expose.yml, with no terminal to type at."""
    playbook = ("ansible-playbook", "playbooks/expose.yml", "-e", f"scope={scope}")
    return run(*playbook, *words, limit_s=limit_s)


def provisioned(done: Done) -> Done:
    """Assert that a run of site.yml went well; otherwise show what the closet knows about it."""
    if done.code != 0:
        print(done.output[-6000:])
        print(on("attic", "sudo launchctl print system/inference.closet.omlx").output)
        print(on("attic", "sudo tail -n 40 /var/log/closet/omlx/omlx.log").output)
    assert done.code == 0
    return done


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing here can run without root on Linux: say so instead of failing one by one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="the lab needs root on Linux"))


@pytest.fixture(scope="session")
def needs_tailnet() -> None:
    """Skip, and say why, where tailscale and headscale were not built."""
    if gobuild.built(cache()) is None:
        pytest.skip(gobuild.why_not())


@pytest.fixture(scope="module")
def bare_lab() -> Iterator[None]:
    """A lab that nobody has touched yet; one per test module."""
    lab("down")
    lab("up", limit_s=600)
    yield
    lab("down")


@pytest.fixture(scope="module")
def fresh_lab(bare_lab: None) -> None:
    """A lab that nobody has provisioned yet, whose closet may serve the LAN."""
    done = expose("lan", "-e", "confirm=attic")
    assert done.code == 0, done.output

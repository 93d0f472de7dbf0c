"""The lab for the tests: brought up fresh, provisioned as an owner would, taken down at the end.

Runs as root on Linux. A failing test prints what launchd and the job's log say first.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import state
from lab.find import away_addresses, find
from lab.host import pid_one, ssh_argv
from lab.parts import gobuild
from lab.paths import cache
from tests.ansible_runs import owners_run

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("air", "pro", "book")
HOSTS = ("attic", *CLIENTS)
ENDS_WITHIN_S = 600
UPPER = Path("/var/lib/closet-lab/hosts")

#: what site.yml installs on the lab's hosts, as folders below /opt/closet
PROGRAMS = {"attic": ("omlx", "uv"), **dict.fromkeys(CLIENTS, ("opencode",))}
SAVED_WITHIN_S = 900

#: what launchd says of the servers that it runs on the closet, whichever they are, and their logs
WHAT_RUNS = r"""
for job in $(sudo launchctl list | grep -Eo "inference[.]closet[.](omlx|mlx-lm|ollama|gateway)"); do
  sudo launchctl print "system/$job"
done
sudo sh -c 'cd /var/log/closet && tail -n 40 */*.log'
"""

#: until a laptop has an answer of a closet that boots
COMES_UP = """
for i in $(seq 120); do
  curl -sf -o /dev/null -m 5 -H "Authorization: Bearer $(cat ~/.config/closet/key)" \\
    http://attic.local:8000/v1/models && exit 0; sleep 1
done; exit 1
"""

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    "PYTHONPATH": str(ROOT),
    # A run does not depend on what the runs before recorded: each runs the tasks of all hosts.
    # test_drift.py has the runs that leave out converged hosts. The name of the plugin that prints
    # adds none; an empty list is an error in ansible-core 2.19.
    "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default",
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


def run(*argv: str, limit_s: float = 300, checkout: Path = ROOT) -> Done:
    """Run a command in a checkout and return its code and everything it printed.

    ansible-playbook in this checkout is a fork of one that is loaded, which saves processor
    time. `make demo`, `Playing`, `paste` and other checkouts start the program.
    """
    if argv[0] == "ansible-playbook" and checkout == ROOT:
        return Done(*owners_run(argv[1:], ENVIRONMENT, limit_s))
    done = subprocess.run(
        argv,
        cwd=checkout,
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
    """Run a shell command on a Mac, by ssh, as its admin user: what `lab shell` runs."""
    running, machine = find(host)
    return run(*ssh_argv(machine, away_addresses(running).get(host), command), limit_s=limit_s)


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


def cut_the_power_at(task: str, after_s: float, book: str, *words: str) -> None:
    """Run a playbook and take attic's power away `after_s` seconds into `task`."""
    with subprocess.Popen(
        ["ansible-playbook", book, *words],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as playing:
        assert playing.stdout is not None
        seen = []
        for line in playing.stdout:
            seen.append(line)
            if line.startswith("TASK") and task in line:
                break
        assert task in seen[-1], "".join(seen)
        time.sleep(after_s)
        lab("power-cut", "attic")
        # A Mac of the lab is back before ssh misses it, so a run may even get to its end; it must
        # not wait for ever on a host that went silent.
        limit = threading.Timer(ENDS_WITHIN_S, playing.kill)
        limit.start()
        seen.append(playing.stdout.read())
        limit.cancel()
        assert playing.wait(timeout=60) != -signal.SIGKILL, "".join(seen)


def provisioned(done: Done) -> Done:
    """Assert that a run of site.yml went well; otherwise show what the closet knows about it."""
    if done.code != 0:
        print(done.output[-6000:])
        print(on("attic", WHAT_RUNS).output)
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


def saved_lan() -> Path | None:
    """The provisioned LAN that scripts/lab-tests keeps for all files, or None without it.

    It is made while the first files run, so it may have to be waited for.
    """
    if "CLOSET_LAB_SAVED" not in os.environ:
        return None
    folder = Path(os.environ["CLOSET_LAB_SAVED"])
    deadline = time.monotonic() + SAVED_WITHIN_S
    while not folder.is_dir():
        assert not folder.with_suffix(".failed").exists(), "the LAN to save was not provisioned"
        assert time.monotonic() < deadline, f"{folder} is not there after {SAVED_WITHIN_S} s"
        time.sleep(0.5)
    return folder


def install_programs(host: str, like: str) -> None:
    """Give a host the programs that `like` has in the provisioned LAN, if there is that LAN.

    Building omlx's environment is the dearest part of a first run, and few files test it.
    """
    saved = saved_lan()
    if saved is None:
        return
    running = state.load()
    assert running is not None
    disk = Path(f"/proc/{pid_one(running.machines[host])}/root")
    programs = disk / "opt/closet"
    programs.mkdir(mode=0o755, exist_ok=True)
    for name in PROGRAMS[like]:
        source = saved / "hosts" / like / "upper/opt/closet" / name
        subprocess.run(["cp", "--archive", str(source), str(programs)], check=True)


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


@pytest.fixture(scope="module")
def fresh_lab_with_programs(fresh_lab: None) -> None:
    """The same, and what site.yml would install is there.

    Not before expose.yml, which would run all of closet.yml for an installed server.
    """
    for host in HOSTS:
        install_programs(host, host)


@pytest.fixture(scope="module")
def provisioned_lab() -> Iterator[None]:
    """A lab after its first run, with the keys of that run; its Macs have booted since."""
    lab("down")
    saved = saved_lan()
    if saved is None:
        lab("up", limit_s=600)
        assert expose("lan", "-e", "confirm=attic").code == 0
        provisioned(site())
    else:
        lab("up", "--saved", str(saved), limit_s=600)
        done = on("air", COMES_UP, limit_s=150)
        assert done.code == 0, done.output
    yield
    lab("down")

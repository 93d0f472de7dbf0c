"""One machine of the lab switched on: its power, its pid 1, and how to reach it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.inventory import Mac, Machine
from lab.network import namespace
from lab.paths import CHECKOUT, HOSTS, KEY, KNOWN_HOSTS, STATE, cache


@dataclass(frozen=True)
class Process:
    """A process of ours, told from a later one with the same number by its start time."""

    pid: int
    started: str

    @staticmethod
    def of(pid: int) -> Process:
        """Describe the running process `pid`."""
        return Process(pid=pid, started=_start_time(pid) or "")

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_time(self.pid) == self.started and self.started != ""


def power_on(mac: Machine, layer: Path) -> Process:
    """Switch it on; returns its firmware process, whose group is the whole machine."""
    folder = HOSTS / mac.name
    hide = [str(path) for path in (CHECKOUT, STATE, cache())]
    # only a Mac has a layer that makes another system of this machine's
    over = str(layer) if isinstance(mac, Mac) else "/"
    argv = [
        str(CHECKOUT / "lab" / "firmware.sh"),
        *(namespace(mac.name), mac.name, str(folder), over),
        *hide,
    ]
    with (folder / "console.log").open("ab") as console:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
            cwd="/",
        )
    return Process.of(process.pid)


def cut_power(machine: Process) -> None:
    """Take the power away: every process of the Mac dies at once, nothing is written back.

    What the page cache of this machine holds survives, unlike on a real disk.
    """
    launchd = pid_one(machine)
    for pid in filter(None, (machine.pid, launchd)):
        _kill(pid, signal.SIGKILL)
    _wait_gone(machine, launchd)


def reboot(machine: Process) -> None:
    """Ask pid 1 for an orderly restart, as `sudo reboot` does on a Mac, and wait for the next."""
    before = pid_one(machine)
    if before is None:
        raise RuntimeError("it is not switched on")
    _kill(before, signal.SIGINT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        now = pid_one(machine)
        if now is not None and now != before:
            return
        time.sleep(0.05)
    raise RuntimeError("pid 1 did not finish its shutdown within 120 s")


def halt(machine: Process) -> None:
    """Ask pid 1 for an orderly end, as `sudo shutdown -h now` does, and wait until it is off."""
    running = pid_one(machine)
    if running is None:
        return
    _kill(running, signal.SIGTERM)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        _reap(machine.pid)
        if not machine.alive:
            return
        time.sleep(0.05)
    raise RuntimeError("pid 1 did not finish its shutdown within 120 s")


def strays() -> list[Process]:
    """Find the machines of labs that died before they could write down what they had started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        is_machine = any(word.endswith("/lab/firmware.sh") for word in words[:2])
        is_hub = words[1:3] == ["-m", "lab.hub.server"]
        is_control = words[0].endswith("/headscale")
        if (is_machine or is_hub or is_control) and any(
            word.startswith(f"{STATE}/") for word in words
        ):
            found.append(Process.of(int(entry.name)))
    return found


def pid_one(machine: Process) -> int | None:
    """Return the pid (out here) of the Mac's pid 1, or None while it has none."""
    if not machine.alive:
        return None
    # firmware.sh → unshare (after `ip netns exec` became it) → launchd
    children = _children(machine.pid)
    grandchildren = [pid for child in children for pid in _children(child)]
    return grandchildren[0] if grandchildren else None


def wait_for_ssh(
    macs: Iterable[Machine], away: Mapping[str, str], limit_s: float = 30
) -> list[Machine]:
    """Wait until sshd greets on each Mac; returns those that did not within `limit_s`.

    `away` is the other address of those that left the LAN.
    """
    waiting = list(macs)
    deadline = time.monotonic() + limit_s
    while waiting and time.monotonic() < deadline:
        waiting = [mac for mac in waiting if not greets(mac, away.get(mac.name))]
        if waiting:
            time.sleep(0.05)
    return waiting


def greets(mac: Machine, away: str | None) -> bool:
    """Whether sshd of a Mac answers where the Mac is now."""
    if away is None:
        return answers(mac.address, 22)
    argv = [*_from_control(), "ssh-keyscan", "-T", "1", "-t", "ed25519", away]
    return bool(subprocess.run(argv, capture_output=True, check=False).stdout)


def answers(address: str, port: int) -> bool:
    """Whether something greets (ssh) or accepts (any other port) at this address."""
    try:
        # short: the first packet before link-up is lost, and a retry costs a whole second
        with socket.create_connection((address, port), timeout=0.3) as connection:
            return port != 22 or connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ssh_argv(mac: Machine, away: str | None, *command: str) -> list[str]:
    """Return the ssh command line for a shell (or a command) on the Mac, wherever it is."""
    options = {
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(KNOWN_HOSTS),
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
        "HostKeyAlias": mac.name,
    }
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    where = f"{mac.user}@{away or mac.address}"
    return [*(_from_control() if away else []), "ssh", "-i", str(KEY), *flags, where, *command]


def _from_control() -> list[str]:
    """The control server is the one machine that a Mac which is away can be reached from."""
    return ["ip", "netns", "exec", namespace("control")]


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def _start_time(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else fields[19]


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_gone(machine: Process, launchd: int | None) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        _reap(machine.pid)
        if not machine.alive and (launchd is None or _start_time(launchd) is None):
            return
        time.sleep(0.02)
    raise RuntimeError(f"process {machine.pid} is still there 10 s after SIGKILL")


def _reap(pid: int) -> None:
    """Collect the process when it is a child of this one; otherwise init does."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return

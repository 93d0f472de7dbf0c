"""One simulated Mac: its disk, its power switch, and how to reach it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.hardware import mac_env
from lab.image import MACOS_TREE, SUPPORT
from lab.inventory import Lan, Mac
from lab.network import namespace
from lab.paths import CHECKOUT, STATE, cache

KEY = STATE / "ssh" / "id_ed25519"
KNOWN_HOSTS = STATE / "ssh" / "known_hosts"
HOSTS = STATE / "hosts"

USER_ID, STAFF_ID = 501, 20
"""The first account of every Mac, and its group."""

SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
# many connections at once are the lab's normal day, on a Mac they are not
MaxStartups 200:30:400
MaxSessions 64
# what sshd of macOS gives a command that is run without a login shell
SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin
Subsystem sftp internal-sftp
"""


# Folders of this machine that a Mac must not show through.
OPAQUE = (
    *("opt", "home", "root", "srv", "mnt", "media"),
    *("etc/ssh", "etc/sudoers.d", "var/log", "var/tmp"),
)
# Files of this machine that a Mac does not have, and that something might take for its own.
ABSENT = ("etc/sysctl.conf", "etc/os-release", "etc/debian_version", "etc/motd", "etc/environment")


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


def write_disk(mac: Mac, lan: Lan) -> None:
    """Make the Mac's upper layer: who it is, who may log in, and nothing else."""
    folder = HOSTS / mac.name
    upper = folder / "upper"
    for part in ("upper", "work", "root", "layer", "empty"):
        (folder / part).mkdir(parents=True)
    for hidden in OPAQUE:
        (upper / hidden).mkdir(parents=True, exist_ok=True)
        os.setxattr(upper / hidden, "trusted.overlay.opaque", b"y")
    (upper / "var/tmp").chmod(0o1777)
    for absent in ABSENT:
        (upper / absent).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(upper / absent, 0o600 | stat.S_IFCHR, os.makedev(0, 0))  # overlayfs: a whiteout
    shutil.copytree(MACOS_TREE / "opt", upper / "opt", symlinks=True, dirs_exist_ok=True)
    _homebrew(upper / "opt/homebrew/bin")
    user = str(mac.facts["user"])
    files = {
        "etc/hostname": f"{mac.name}\n",
        "etc/hosts": _hosts_file(lan),
        "etc/resolv.conf": "",
        "etc/passwd": _passwd(user),
        "etc/shadow": f"root:*:20000::::::\n{user}:*:20000::::::\nsshd:*:20000::::::\n",
        "etc/group": _group(user),
        "etc/gshadow": "",
        "etc/zsh/zshenv": "",
        "etc/ssh/sshd_config": SSHD_CONFIG,
        "etc/sudoers.d/lab": f"{user} ALL=(ALL) NOPASSWD: ALL\n",
        f"Users/{user}/.ssh/authorized_keys": KEY.with_suffix(".pub").read_text(),
        str(SUPPORT / "mac.json"): json.dumps(dict(mac.facts), indent=2) + "\n",
        str(SUPPORT / "mac.env"): mac_env(dict(mac.facts)),
    }
    for name, text in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (upper / "etc/shadow").chmod(0o600)
    (upper / "etc/sudoers.d/lab").chmod(0o440)
    home = upper / "Users" / user
    (home / ".ssh").chmod(0o700)
    for path in (home, *home.rglob("*")):
        os.chown(path, USER_ID, STAFF_ID)
    _host_key(upper / "etc/ssh/ssh_host_ed25519_key", mac)


def power_on(mac: Mac, layer: Path) -> Process:
    """Switch the Mac on; returns its firmware process, whose group is the whole machine."""
    folder = HOSTS / mac.name
    hide = [str(path) for path in (CHECKOUT, STATE, cache())]
    argv = [
        str(CHECKOUT / "lab" / "firmware.sh"),
        *(namespace(mac.name), mac.name, str(folder), str(layer)),
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
    """Ask launchd for an orderly restart, as `sudo reboot` does, and wait until it is up again."""
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
    raise RuntimeError("launchd did not finish its shutdown within 120 s")


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
        if (is_machine or is_hub) and any(word.startswith(f"{STATE}/") for word in words):
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


def wait_for_ssh(macs: Iterable[Mac], limit_s: float = 30) -> list[Mac]:
    """Wait until sshd greets on each Mac; returns those that did not within `limit_s`."""
    waiting = list(macs)
    deadline = time.monotonic() + limit_s
    while waiting and time.monotonic() < deadline:
        waiting = [mac for mac in waiting if not answers(mac.address, 22)]
        if waiting:
            time.sleep(0.05)
    return waiting


def answers(address: str, port: int) -> bool:
    """Whether something greets (ssh) or accepts (any other port) at this address."""
    try:
        # short: the first packet before link-up is lost, and a retry costs a whole second
        with socket.create_connection((address, port), timeout=0.3) as connection:
            return port != 22 or connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ssh_argv(mac: Mac, *command: str) -> list[str]:
    """Return the ssh command line for a shell (or a command) on the Mac."""
    options = {
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(KNOWN_HOSTS),
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
    }
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["ssh", "-i", str(KEY), *flags, f"{mac.facts['user']}@{mac.address}", *command]


def make_keys() -> None:
    """Make the controller's ssh key pair for this lab."""
    KEY.parent.mkdir(parents=True, mode=0o700)
    _keygen(KEY, "closet lab")


def write_known_hosts(macs: Iterable[Mac]) -> None:
    """Tell the controller every Mac's host key, so that host key checking stays on."""
    lines = []
    for mac in macs:
        public = HOSTS / mac.name / "upper/etc/ssh/ssh_host_ed25519_key.pub"
        kind, key = public.read_text().split()[:2]
        lines.append(f"{mac.address},{mac.name},{mac.name}.local {kind} {key}\n")
    KNOWN_HOSTS.write_text("".join(lines))


def _homebrew(folder: Path) -> None:
    """Put Node where Homebrew has it on a Mac: the laptops install opencode with npm."""
    for name in ("node", "npm"):
        program = shutil.which(name)
        if program is not None:
            (folder / name).symlink_to(program)


def _host_key(path: Path, mac: Mac) -> None:
    _keygen(path, f"root@{mac.name}")


def _keygen(path: Path, comment: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _hosts_file(lan: Lan) -> str:
    lines = ["127.0.0.1\tlocalhost", "255.255.255.255\tbroadcasthost", "::1\tlocalhost"]
    # .local names come from mDNS on a real LAN; the lab has no multicast, so files answer
    lines += [f"{address}\t{name}.local {name}" for name, address in lan.names.items()]
    return "\n".join(lines) + "\n"


def _passwd(user: str) -> str:
    return (
        "nobody:x:65534:65534:Unprivileged User:/var/empty:/usr/bin/false\n"
        "root:x:0:0:System Administrator:/var/root:/bin/sh\n"
        "daemon:x:1:1:System Services:/var/root:/usr/bin/false\n"
        # Debian's sshd wants its own name for what macOS calls _sshd
        "sshd:x:75:75:sshd Privilege separation:/var/empty:/usr/bin/false\n"
        f"{user}:x:{USER_ID}:{STAFF_ID}:{user.capitalize()}:/Users/{user}:{_shell()}\n"
    )


def _group(user: str) -> str:
    return (
        "nobody:x:65534:\nnogroup:x:65533:\nwheel:x:0:root\ndaemon:x:1:root\nkmem:x:2:root\n"
        "sys:x:3:root\ntty:x:4:root\noperator:x:5:root\nmail:x:6:\nbin:x:7:\n"
        f"everyone:x:12:\nstaff:x:20:root\nsshd:x:75:\nadmin:x:80:root,{user}\n"
    )


def _shell() -> str:
    return "/bin/zsh" if shutil.which("zsh") else "/bin/sh"


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

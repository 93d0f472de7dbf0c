"""The disk of one simulated Mac: who it is, who may log in, and the ssh keys of the LAN."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab import certificates, control
from lab.hardware import mac_env
from lab.image import MACOS_TREE, SUPPORT
from lab.inventory import Lan, Mac, Machine
from lab.paths import HOSTS, KEY, KNOWN_HOSTS

USER_ID, STAFF_ID, ADMIN_ID = 501, 20, 80
"""The first account of every Mac, its group, and the group of administrators."""

SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
# many connections at once are the lab's normal day, in a house they are not
MaxStartups 200:30:400
MaxSessions 64
Subsystem sftp internal-sftp
"""
"""Of every machine of the lab."""
MAC_SSHD_CONFIG = f"""\
{SSHD_CONFIG}\
# what sshd of macOS gives a command that is run without a login shell
SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin
"""


# Folders of this machine that a Mac must not show through.
OPAQUE = (
    *("opt", "home", "root", "srv", "mnt", "media"),
    *("etc/ssh", "etc/sudoers.d", "var/log", "var/tmp"),
)
# Files of this machine that a Mac does not have, and that something might take for its own.
ABSENT = ("etc/sysctl.conf", "etc/os-release", "etc/debian_version", "etc/motd", "etc/environment")


def write_disk(mac: Mac, lan: Lan) -> None:
    """Make the Mac's upper layer: who it is, who may log in, and nothing else."""
    upper = make_folders(mac.name)
    for absent in ABSENT:
        (upper / absent).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(upper / absent, 0o600 | stat.S_IFCHR, os.makedev(0, 0))  # overlayfs: a whiteout
    shutil.copytree(MACOS_TREE / "opt", upper / "opt", symlinks=True, dirs_exist_ok=True)
    user = mac.user
    files = {
        "etc/hostname": f"{mac.name}\n",
        "etc/hosts": hosts_file(lan),
        "etc/resolv.conf": "",
        "etc/passwd": _passwd(user),
        "etc/shadow": f"root:*:20000::::::\n{user}:*:20000::::::\nsshd:*:20000::::::\n",
        "etc/group": _group(user),
        "etc/gshadow": "",
        "etc/zsh/zshenv": "",
        "etc/ssh/sshd_config": MAC_SSHD_CONFIG,
        "etc/sudoers.d/lab": f"{user} ALL=(ALL) NOPASSWD: ALL\n",
        f"Users/{user}/.ssh/authorized_keys": public_key(),
        str(SUPPORT / "mac.json"): json.dumps(dict(mac.facts), indent=2) + "\n",
        str(SUPPORT / "mac.env"): mac_env(dict(mac.facts)),
    }
    if lan.control is not None:
        # on a Mac it would be a certificate in the System keychain
        files["etc/ssl/certs/ca-certificates.crt"] = certificates.trusted(control.AUTHORITY)
    write_files(upper, files)
    (upper / "etc/shadow").chmod(0o600)
    (upper / "etc/sudoers.d/lab").chmod(0o440)
    give_home(upper / "Users" / user, USER_ID, STAFF_ID)
    os.chown(upper / "Users", 0, ADMIN_ID)
    _give_homebrew(upper / "opt/homebrew", USER_ID)
    make_host_key(mac.name)


def make_folders(name: str) -> Path:
    """Make what a machine's root is mounted from; returns its upper layer, with nothing in it."""
    make_mountpoints(name)
    upper = HOSTS / name / "upper"
    upper.mkdir()
    for hidden in OPAQUE:
        (upper / hidden).mkdir(parents=True, exist_ok=True)
        os.setxattr(upper / hidden, "trusted.overlay.opaque", b"y")
    (upper / "var/tmp").chmod(0o1777)
    return upper


def make_mountpoints(name: str) -> None:
    """Make everything that a machine's root needs beside its upper layer."""
    for part in ("work", "root", "layer", "empty"):
        (HOSTS / name / part).mkdir(parents=True)


def write_files(upper: Path, files: Mapping[str, str]) -> None:
    """Write texts by their paths on the machine."""
    for name, text in files.items():
        path = upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def give_home(home: Path, uid: int, gid: int) -> None:
    """Make everything in a home its person's."""
    (home / ".ssh").chmod(0o700)
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, gid)


def public_key() -> str:
    """The key that may log in everywhere in this lab."""
    return KEY.with_suffix(".pub").read_text()


def make_keys() -> None:
    """Make the controller's ssh key pair for this lab."""
    KEY.parent.mkdir(parents=True, mode=0o700)
    _keygen(KEY, "closet lab")


def write_known_hosts(machines: Iterable[Machine]) -> None:
    """Tell the controller every machine's host key, so that host key checking stays on."""
    lines = []
    for machine in machines:
        public = HOSTS / machine.name / "upper/etc/ssh/ssh_host_ed25519_key.pub"
        kind, key = public.read_text().split()[:2]
        lines.append(f"{machine.address},{machine.name},{machine.name}.local {kind} {key}\n")
    KNOWN_HOSTS.write_text("".join(lines))


def _give_homebrew(folder: Path, uid: int) -> None:
    """Homebrew belongs to who installed it, and the group admin may write there."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, ADMIN_ID, follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o775)


def make_host_key(name: str) -> None:
    """Make the key that a machine's sshd shows."""
    _keygen(HOSTS / name / "upper/etc/ssh/ssh_host_ed25519_key", f"root@{name}")


def _keygen(path: Path, comment: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def hosts_file(lan: Lan, away: str | None = None) -> str:
    """The names that a Mac knows at home, or the one called `away` where it is.

    Those of the LAN are known at home alone, its own and the control server's everywhere.
    """
    lines = ["127.0.0.1\tlocalhost", "255.255.255.255\tbroadcasthost", "::1\tlocalhost"]
    # .local names come from mDNS on a real LAN; the lab has no multicast, so files answer
    local = {name: address for name, address in lan.names.items() if name != "control"}
    if away:
        lines.append(f"{lan.away_address(away)}\t{away}.local {away}")
    else:
        lines += [f"{address}\t{name}.local {name}" for name, address in local.items()]
        # where the hub redirects for big files: another origin, though the same machine
        lines.append(f"{lan.hub}\tcdn.hub.local")
    if lan.control is not None:
        lines.append(f"{lan.control}\t{control.NAME} {control.IMPOSTOR}")
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

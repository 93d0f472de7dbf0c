"""The disk of a Linux laptop: whose it is, who may log in; everything else is this machine's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from lab import certificates, control, disk
from lab.inventory import Lan, LinuxLaptop

INIT = Path("usr/libexec/closet-lab/init.py")
USER_ID = 1000
"""The first person of a Debian, and the group of the same name."""
SYSTEM_IDS = (*range(1000), 65534)
"""Accounts that a fresh Debian has too: its own, and nobody."""

# As the package sudo of Debian installs it.
SUDOERS = """\
Defaults\tenv_reset
Defaults\tmail_badpass
Defaults\tsecure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults\tuse_pty
root\tALL=(ALL:ALL) ALL
%sudo\tALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
"""


def write_disk(laptop: LinuxLaptop, lan: Lan) -> None:
    """Make the laptop's upper layer."""
    upper = disk.make_folders(laptop.name)
    user = laptop.user
    accounts = list(_accounts(Path("/etc/passwd"), user))
    groups = [line for line in _accounts(Path("/etc/group"), user) if line[0] != "sudo"]
    files = {
        "etc/hostname": f"{laptop.name}\n",
        "etc/hosts": disk.hosts_file(lan),
        "etc/resolv.conf": "",
        "etc/environment": "",
        "etc/passwd": _lines(
            *accounts,
            (user, "x", f"{USER_ID}", f"{USER_ID}", "", f"/home/{user}", laptop.shell),
        ),
        "etc/shadow": _lines(
            *((name, "*", "20000", "0", "99999", "7", "", "", "") for name, *_ in accounts),
            (user, "*", "20000", "0", "99999", "7", "", "", ""),
        ),
        "etc/group": _lines(
            *((name, "x", number, "") for name, _, number, *_ in groups),
            ("sudo", "x", "27", user),
            (user, "x", f"{USER_ID}", ""),
        ),
        "etc/gshadow": "",
        "etc/ssh/sshd_config": disk.SSHD_CONFIG,
        "etc/sudoers": SUDOERS,
        "etc/sudoers.d/lab": f"{user} ALL=(ALL) NOPASSWD: ALL\n",
        f"home/{user}/.ssh/authorized_keys": disk.public_key(),
        str(INIT): (Path(__file__).parent / "init.py").read_text(),
    }
    if lan.control is not None:
        # as update-ca-certificates would add it
        files["etc/ssl/certs/ca-certificates.crt"] = certificates.trusted(control.AUTHORITY)
    disk.write_files(upper, files)
    for name, mode in (("etc/shadow", 0o600), ("etc/sudoers", 0o440), ("etc/sudoers.d/lab", 0o440)):
        (upper / name).chmod(mode)
    home = upper / "home" / user
    shutil.copytree("/etc/skel", home, dirs_exist_ok=True)
    disk.give_home(home, USER_ID, USER_ID)
    disk.make_host_key(laptop.name)


def _accounts(path: Path, user: str) -> Iterator[list[str]]:
    """The fields of each line of passwd or group that a fresh Debian would have as well."""
    for line in path.read_text().splitlines():
        fields = line.split(":")
        known = len(fields) > 2 and fields[2].isdigit() and int(fields[2]) in SYSTEM_IDS
        if known and fields[0] != user:
            yield fields


def _lines(*entries: list[str] | tuple[str, ...]) -> str:
    return "".join(":".join(entry) + "\n" for entry in entries)

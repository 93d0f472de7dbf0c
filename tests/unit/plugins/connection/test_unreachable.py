# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that ssh does not reach: the cause by what ssh said, and commands that work when pasted.

The words of ssh are recorded from OpenSSH 9.2; the banner of macOS 26.5 is from public reports.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.connection import unreachable
from ansible_collections.closet.inference.plugins.plugin_utils.connection.reach import Way

WAY = Way("attic.local", "ada", 2222, "~/.ssh/closet key")
PREFIX = "Failed to connect to the host via ssh: "
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Add correct host key in /Users/ada/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /Users/ada/.ssh/known_hosts:7
Host key for [attic.local]:2222 has changed and you have requested strict checking.
Host key verification failed.
"""
LOCKED = """\
This system is locked. To unlock it, use a local
account name and password. Once successfully
unlocked, you will be able to connect normally.
ada@attic.local: Permission denied (publickey,password,keyboard-interactive).
"""
TOO_MANY = """\
Received disconnect from 10.0.0.9 port 22:2: Too many authentication failures
Disconnected from 10.0.0.9 port 22
"""
UNKNOWN = """\
No ED25519 host key is known for [attic.local]:2222 and you have requested strict checking.
Host key verification failed.
"""
OPEN = """\
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
Permissions 0644 for '/Users/ada/.ssh/closet key' are too open.
It is required that your private key files are NOT accessible by others.
ada@attic.local: Permission denied (publickey).
"""
NO_FILE = """\
Warning: Identity file /Users/ada/.ssh/k not accessible: No such file or directory.
ada@attic.local: Permission denied (publickey,keyboard-interactive).
"""
PASSWORD = "Invalid/incorrect username/password. Skipping remaining 0 retries: Permission denied"
GO = "-p 2222 -i ~/'.ssh/closet key'"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            LOCKED,
            "FileVault waits for a password|ssh -p 2222 -o PreferredAuthentications="
            "keyboard-interactive,password ada@attic.local`;",
        ),
        (
            CHANGED,
            "has another host key at attic.local|ssh-keygen -f /Users/ada/.ssh/known_hosts -R "
            f"'[attic.local]:2222' && ssh {GO} -o StrictHostKeyChecking=ask ada@attic.local true",
        ),
        (
            UNKNOWN,
            "first connection to attic.local|"
            f"ssh {GO} -o StrictHostKeyChecking=ask ada@attic.local true|ssh-keygen -lf",
        ),
        ("Host key verification failed.", "first connection to"),
        (
            TOO_MANY,
            f"2: Too many authentication failures)|ssh {GO} -o IdentitiesOnly=yes ada@attic.local "
            'true|ansible_ssh_common_args: "-o IdentitiesOnly=yes"',
        ),
        (OPEN, "chmod 600 '/Users/ada/.ssh/closet key'"),
        (NO_FILE, "no key /Users/ada/.ssh/k on this machine|ssh-keygen -t ed25519 -f"),
        (PASSWORD, f"refuses the password of ada|--ask-pass|ssh {GO} ada@attic.local true"),
        (
            "ada@attic.local: Permission denied (publickey).",
            "refuses the ssh login at attic.local as ada (ada@attic.local: Permission denied "
            f"(publickey).)|ssh-copy-id {GO} ada@attic.local|chmod go-w ~ ~/.ssh",
        ),
        (
            "ssh: Could not resolve hostname attic.local: nodename nor servname provided",
            "knows no address for attic.local (ssh: Could not resolve|ping -c 1 attic.local|"
            "ansible_host",
        ),
        (
            "kex_exchange_identification: read: Connection reset by peer\n"
            "Connection reset by 10.0.0.9 port 22",
            "does not answer by ssh at attic.local, it hangs up (Connection reset by 10.0.0.9",
        ),
        (
            "ssh: connect to host attic.local port 22: Connection timed out",
            "does not answer by ssh at attic.local (ssh: connect to host|Connection timed out|"
            f"Remote Login|`ssh {GO} ada@attic.local true`",
        ),
        ("ssh: connect to host x port 22: Connection refused", "does not answer by ssh at"),
        ("", "does not answer by ssh at attic.local (no answer)"),
    ],
)
def test_each_cause_has_its_sentence(said: str, words: str) -> None:
    for message in (said, PREFIX + said, f"{PREFIX}debug1: Reading\n{said}"):
        sentence = unreachable.error("attic", WAY, message)
        assert sentence.startswith("attic")
        for part in words.split("|"):
            assert part in sentence
        assert "Failed to connect" not in sentence
        assert ("Remote Login" in sentence) == ("does not answer" in sentence)


def test_a_user_that_the_inventory_does_not_name_is_told() -> None:
    sentence = unreachable.error("attic", Way("attic.local"), "Permission denied (publickey).")
    assert "ansible_user is not set" in sentence
    assert "ssh-copy-id attic.local" in sentence


def test_a_jump_host_stays_in_the_command() -> None:
    way = Way("attic.local", options="-J gate")
    sentence = unreachable.error("attic", way, "Permission denied (publickey).")
    assert "ssh -J gate attic.local 'umask 077;" in sentence
    assert "< ~/.ssh/id_ed25519.pub" in sentence
    changed = unreachable.error("attic", way, "Host key for attic.local has changed and you")
    assert "-o StrictHostKeyChecking=ask -J gate attic.local true" in changed


# --- the same with a real sshd, whose refusals give the commands ----------------------------------


@dataclass(frozen=True)
class Server:
    """sshd on a port of its own, and what the person has here."""

    folder: Path
    port: int

    def way(self, key: str = "") -> Way:
        options = f"-F /dev/null -o UserKnownHostsFile={self.folder}/known"
        return Way("127.0.0.1", getpass.getuser(), self.port, key, options)

    def refused(self, way: Way, *more: str) -> str:
        """What ssh says, as a run without a terminal."""
        command = f"{way.command('true')} {' '.join(more)}".replace(
            "ssh ", "ssh -o BatchMode=yes ", 1
        )
        done = self.run(command)
        assert done.returncode == 255, done.stderr
        return unreachable.error("attic", way, PREFIX + done.stderr)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command as pasted; the person says yes to a fingerprint."""
        return subprocess.run(
            ["/bin/sh", "-c", command],
            env={**os.environ, "SSH_ASKPASS": f"{self.folder}/yes", "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def knows(self, key: str) -> None:
        kind, value = (self.folder / f"{key}.pub").read_text().split()[:2]
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {kind} {value}\n")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with sshd_for(tmp_path, {}) as found:
        yield found


@contextmanager
def sshd_for(tmp_path: Path, more: Mapping[str, object]) -> Iterator[Server]:
    """An sshd with these settings, and keys in `tmp_path`."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH')}:/usr/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd on this machine")
    for name in ("host", "other", "mine", "k1", "k2"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True
        )
    (tmp_path / "yes").write_text("#!/bin/sh\necho yes\n")
    (tmp_path / "yes").chmod(0o755)
    shutil.copy(tmp_path / "mine.pub", tmp_path / "authorized")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd separates its privileges there
    settings = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": tmp_path / "host",
        "AuthorizedKeysFile": tmp_path / "authorized",
        "PidFile": "none",
        "MaxAuthTries": 2,
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        **more,
    }
    words = [f"-o{name}={value}" for name, value in settings.items()]
    process = subprocess.Popen(
        [sshd, "-D", "-e", "-f", "/dev/null", *words], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Server(tmp_path, port)
    finally:
        process.terminate()
        process.wait(10)


def command_in(sentence: str, begin: str) -> str:
    found = re.search(rf"({re.escape(begin)}.*? (?:true|attic))(?=[;`,.]| ?$)", sentence)
    assert found is not None, sentence
    return found[1]


def test_the_command_for_an_unknown_host_key_works(server: Server) -> None:
    way = server.way(f"{server.folder}/mine")
    sentence = server.refused(way)
    assert "first connection to" in sentence
    done = server.run(command_in(sentence, "ssh -p"))
    assert done.returncode == 0, done.stderr
    assert server.run(way.command("true")).returncode == 0


def test_the_command_for_another_host_key_works(server: Server) -> None:
    server.knows("other")
    way = server.way(f"{server.folder}/mine")
    sentence = server.refused(way)
    assert "has another host key" in sentence
    done = server.run(command_in(sentence, "ssh-keygen -f"))
    assert done.returncode == 0, done.stderr
    assert server.run(way.command("true")).returncode == 0


def test_the_command_for_too_many_keys_works(server: Server) -> None:
    server.knows("host")
    keys = " ".join(f"-i {server.folder}/{name}" for name in ("k1", "k2", "mine"))
    way = server.way()
    sentence = unreachable.error(
        "attic", way, server.run(way.command("true").replace("ssh", f"ssh {keys}", 1)).stderr
    )
    assert "hung up" in sentence
    command = command_in(sentence, "ssh -p").replace("~/.ssh/id_ed25519", f"{server.folder}/mine")
    assert server.run(command).returncode == 0


def test_the_command_for_a_key_that_others_may_read_works(server: Server) -> None:
    server.knows("host")
    (server.folder / "mine").chmod(0o644)
    way = server.way(f"{server.folder}/mine")
    sentence = server.refused(way, "-o IdentitiesOnly=yes")
    command = sentence.split("`")[1]
    assert server.run(command).returncode == 0
    assert server.run(way.command("true")).returncode == 0


def test_a_key_that_is_not_there_and_one_that_is_not_known_are_told_apart(server: Server) -> None:
    server.knows("host")
    assert "there is no key" in server.refused(server.way(f"{server.folder}/none"))
    assert "Put your key there" in server.refused(server.way(f"{server.folder}/k1"))

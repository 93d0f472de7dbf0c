# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way by ssh: commands about keys and fingerprints, from the refusal of a real sshd.

What the rest of the commands does, tests/unit/plugins/connection/test_unreachable.py shows.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.connection import reach, unreachable
from ansible_collections.closet.inference.plugins.plugin_utils.connection.reach import Way
from tests.unit.plugins.advice.pasted import commands, paste
from tests.unit.plugins.connection.test_unreachable import Server, sshd_for

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Its accounts have their home in `tmp_path/there`."""
    (tmp_path / "there").mkdir()
    home = {
        "AuthorizedKeysFile": f"{tmp_path}/authorized {tmp_path}/there/.ssh/authorized_keys",
        "ForceCommand": f'cd {tmp_path}/there && HOME=$PWD && eval "$SSH_ORIGINAL_COMMAND"',
    }
    with sshd_for(tmp_path, home) as found:
        yield found


def test_the_fingerprint_that_the_machine_shows_is_the_one_that_ssh_asks_about(
    server: Server,
) -> None:
    (server.folder / "yes").write_text(f'#!/bin/sh\necho "$1" >> {server.folder}/asked\necho yes\n')
    sentence = server.refused(server.way(f"{server.folder}/mine"))
    log_in, show = commands(sentence)
    assert server.run(log_in).returncode == 0
    shown = paste(show.replace(HOST_KEY, f"{server.folder}/host.pub"))
    assert show.endswith(f" {HOST_KEY}")
    assert shown.split()[1] in (server.folder / "asked").read_text()


def test_the_key_that_is_not_there_is_made(server: Server) -> None:
    server.knows("host")
    (server.folder / "yes").write_text("#!/bin/sh\necho\n")  # no passphrase
    way = server.way(f"{server.folder}/my new key")
    sentence = server.refused(way)
    assert "there is no key" in sentence
    [make] = commands(sentence)
    done = server.run(make)
    assert done.returncode == 0, done.stderr
    assert "Put your key there" in server.refused(way)


@contextmanager
def password(server: Server) -> Iterator[str]:
    """In place of the password of the account: another key, which an agent holds."""
    agent = f"{server.folder}/agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL) as process:
        try:
            paste(
                f"until ssh-add -q {server.folder}/mine; do sleep 0.05; done", SSH_AUTH_SOCK=agent
            )
            yield agent
        finally:
            process.terminate()


@pytest.mark.parametrize("by", ["ssh-copy-id", "ssh"])
def test_the_key_is_put_there(server: Server, by: str) -> None:
    server.knows("host")
    way = server.way(f"{server.folder}/k1")
    sentence, path = server.refused(way), os.environ["PATH"]
    if by == "ssh-copy-id":  # an inventory without options, and an ssh that knows the host
        (server.folder / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh {way.options} "$@"\n')
        (server.folder / "ssh").chmod(0o755)
        path = f"{server.folder}:{path}"
        denied = f"{way.user}@{way.address}: Permission denied (publickey)."
        sentence = unreachable.error("attic", replace(way, options=""), denied)
    give, _chmod, try_it = commands(sentence)
    assert give.startswith(f"{by} ")
    (server.folder / "here/.ssh").mkdir(parents=True)
    with password(server) as agent:
        paste(give, SSH_AUTH_SOCK=agent, PATH=path, HOME=f"{server.folder}/here")
    paste(try_it, PATH=path)
    kept = server.folder / "there/.ssh/authorized_keys"
    assert kept.read_text().strip() == (server.folder / "k1.pub").read_text().strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_what_a_host_says_that_ended_a_look(server: Server) -> None:
    server.knows("host")
    way = server.way(f"{server.folder}/mine")
    [look] = commands(reach.cut_off("attic", way, 255, "probe=begin\n", ""))
    assert "load average" in paste(look)
    [attempt] = commands(reach.cut_off("attic", way, 1, "", "Unmatched '.\n"))
    assert paste(attempt) == ""


def test_the_folders_that_sshd_distrusts_are_closed(tmp_path: Path) -> None:
    """As sshd judges them with StrictModes (sshd_config(5)): nobody else writes any of them."""
    home = tmp_path / "my home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/authorized_keys").touch()
    places = (home, home / ".ssh", home / ".ssh/authorized_keys")
    for path in places:
        path.chmod(0o777)
    sentence = unreachable.error("attic", Way("attic.local"), "Permission denied (publickey).")
    [command] = [one for one in commands(sentence) if one.startswith("chmod ")]
    paste(command, HOME=str(home))
    assert [path.stat().st_mode & 0o022 for path in places] == [0, 0, 0]
    assert re.search(rf"`{re.escape(command)}` at the machine", sentence)

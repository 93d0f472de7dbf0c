# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person looks at on a machine: each command, from the state that gave its sentence."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import (
    environment_build,
    python_environment,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd import explain as launchd
from ansible_collections.closet.inference.plugins.module_utils.release import fetch
from ansible_collections.closet.inference.plugins.module_utils.release import run as release_run
from ansible_collections.closet.inference.plugins.module_utils.release.request import (
    ReleaseFailedError,
    ReleaseRefusedError,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from ansible_collections.closet.inference.plugins.module_utils.tailscale import explain as tailnet
from ansible_collections.closet.inference.plugins.module_utils.tailscale import model, probe
from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    accounts,
    macos,
    script,
    space,
)
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
)
from ansible_collections.closet.inference.plugins.plugin_utils.run_lock import messages
from tests.unit.plugins.advice.pasted import commands, paste

SERVING = {"port": 8000, "models": []}


def test_what_fills_a_disk_is_shown(tmp_path: Path) -> None:
    volume = tmp_path / "my volume"
    (volume / "large").mkdir(parents=True)
    (volume / "large/file").write_bytes(b"x" * 300_000)
    full = space.disks([f"/var 0 {volume}"])
    [sentence] = space.errors("attic", full, {})
    [command] = commands(sentence)
    *_, large, whole = paste(command).splitlines()
    assert large.endswith(f"{volume}/large")
    assert whole.endswith(str(volume))


def test_who_has_the_port_is_shown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        seen = parse("probe=begin\nlistener=7 1 0 python\nprobe=end\n")
        [sentence] = macos.closet_errors("attic", seen, {**SERVING, "port": port}, "attic.local")
        [command] = commands(sentence)
        assert str(os.getpid()) in paste(command)


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
def test_what_is_no_sysctl_conf_is_shown_and_moved_away(tmp_path: Path, what: str) -> None:
    place = tmp_path / "sysctl.conf"
    put: dict[str, Callable[[], None]] = {
        "folder": place.mkdir,
        "link": lambda: place.symlink_to("/etc"),
        "pipe": lambda: os.mkfifo(place),
    }
    put[what]()
    line = next(one for one in script.CLOSET.splitlines() if "sysctl_conf" in one)
    asked = f'say() {{ echo "$1=$2"; }}\n{line}'.replace("/etc/sysctl.conf", str(place))

    def told() -> list[str]:
        seen = parse(f"probe=begin\n{paste(f'{asked} || true')}probe=end\n")
        return macos.closet_errors("attic", seen, SERVING, "attic.local")

    [sentence] = told()
    for command in commands(sentence):
        paste(command.replace("/etc/sysctl.conf", str(place)))
    assert told() == []
    assert os.path.lexists(f"{place}.aside")


@pytest.mark.parametrize("name", ["CORP\\jane doe", "o'neil $(id)", "STAFF GROUP"])
def test_the_number_of_an_account_is_asked_for_by_its_whole_name(tmp_path: Path, name: str) -> None:
    for program in ("id", "dscacheutil"):  # accounts of a directory, and a program of macOS
        (tmp_path / program).write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
        (tmp_path / program).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with pytest.raises(accounts.AccountNameError) as raised:
        accounts.newsyslog_fields("/var/log/x", name, "staff", {})
    assert paste(*commands(str(raised.value)), PATH=path) == f"-u|{name}|"
    with pytest.raises(accounts.AccountNameError) as raised:
        accounts.newsyslog_fields("/var/log/x", "root", name, {})
    assert paste(*commands(str(raised.value)), PATH=path) == f"-q|group|-a|name|{name}|"
    with pytest.raises(accounts.AccountNameError) as raised:
        accounts.sudoers_user("ALL", {})
    assert paste(*commands(str(raised.value)), PATH=path) == "-u|ALL|"


def test_why_sudo_does_not_work_is_shown() -> None:
    given = sudo.Given("", sudo.Own("(a command)"))
    [command] = commands(sudo.refused("attic", "ada", "sudo: unable to open the log", given))
    assert paste(command) == ""


def test_the_run_that_holds_a_closet_is_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        sentence = messages.too_long("attic", {"pid": process.pid}, 1)
        [command] = commands(sentence)
        paste(command)
        assert process.wait(10) == -15


# --- folders and files that are not ours ----------------------------------------------------------


def test_what_was_not_built_or_installed_here_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "their tools"
    folder.mkdir()
    (folder / "thesis.txt").touch()
    want: Any = SimpleNamespace(path=str(folder), uv_path=str(folder), index_url="")
    foreign = python_environment.Have("foreign")
    with pytest.raises(python_environment.EnvironmentRefusedError) as raised:
        python_environment.plan(want, foreign, foreign)
    [command] = commands(str(raised.value))
    assert "thesis.txt" in paste(command)
    with pytest.raises(ReleaseRefusedError) as refused:
        release_run.plan(want, foreign)
    [command] = commands(str(refused.value))
    assert "thesis.txt" in paste(command)
    [command] = commands(environment_build._reach(want))
    assert "Avail" in paste(command, LC_ALL="C")


def test_the_room_for_a_release_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_words: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(release_run, "_clear", full)
    want = Want(path=f"{tmp_path}/my tools/it", kind="npm")
    (tmp_path / "my tools").mkdir()
    with pytest.raises(ReleaseFailedError) as raised:
        release_run._build(want, Runner(), [])
    [command] = commands(str(raised.value))
    assert "Avail" in paste(command, LC_ALL="C")


@pytest.mark.parametrize(("mode", "owner"), [(0o666, 0), (0o600, 12345), (0o777, 12345)])
def test_a_plist_that_launchd_refuses_gets_owner_and_mode(
    tmp_path: Path, mode: int, owner: int
) -> None:
    path = tmp_path / "my job.plist"
    path.touch()
    path.chmod(mode)
    os.chown(path, owner, owner)
    tried = Completed(("/bin/launchctl", "bootstrap", "system", str(path)), 122, "", "")
    *_, command = commands(launchd.explain(tried, "system/a", str(path)))
    paste(command)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, 0o644)
    assert launchd.MEANINGS[122] == "Path had bad ownership/permissions"


# --- servers --------------------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """A server of which the path is all that counts."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(f"asked for {self.path}".encode())

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_words: object) -> None:
        """Nothing to stderr."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as found:
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize("shell", ["sh", "zsh"])
def test_the_question_to_a_control_server_is_one_for_each_shell(server: str, shell: str) -> None:
    """A question mark in a bare word is a pattern, and zsh refuses one that fits no file."""
    said = [
        probe.CHECK.format(server=server),
        *tailnet.warnings(model.Have(state="Starting", prefs={"ControlURL": server})),
        *(reason.format(server=server) for _, reason in tailnet.REASONS if "curl" in reason),
    ]
    assert len(said) == 4
    for sentence in said:
        [command] = commands(sentence)
        program = shutil.which(shell)
        assert program
        told = subprocess.run([program, "-c", command], capture_output=True, text=True, check=False)
        assert told.stdout == "asked for /key?v=1"


def test_what_a_registry_has_is_shown(server: str) -> None:
    want = Want("/tmp/it", "npm", package="@scope/it", version="1", registry=server)
    with pytest.raises(ReleaseFailedError) as raised:
        fetch._of_registry(want)
    [command] = commands(str(raised.value))
    assert paste(command) == "asked for /@scope%2Fit"
    [command] = commands(fetch._unreachable(f"{server}/a?b=1&c='", OSError("no")))
    assert paste(command).startswith("HTTP/1.0 200")

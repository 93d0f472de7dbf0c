# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look and the lock through a login shell, whichever that is."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.action import run_lock
from ansible_collections.closet.inference.plugins.action.host_facts import ActionModule
from ansible_collections.closet.inference.plugins.module_utils import run_holder
from ansible_collections.closet.inference.plugins.plugin_utils.connection import reach
from ansible_collections.closet.inference.plugins.plugin_utils.probe import script

Shell = Callable[[str, bytes | None], dict[str, Any]]


def answer(rc: int = 0, stdout: str = "", stderr: str = "") -> dict[str, Any]:
    return {"rc": rc, "stdout": stdout, "stderr": stderr}


def real(program: str, *words: str) -> Shell:
    def run(command: str, given: bytes | None) -> dict[str, Any]:
        done = subprocess.run(
            [program, *words, "-c", command],
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def tcsh(command: str, given: bytes | None) -> dict[str, Any]:
    """What tcsh 6.24.07 says of a line break and of an exclamation mark within any quotes."""
    if "\n" in command:
        return answer(1, stderr="Unmatched '''.\n")
    if "!" in command:
        return answer(1, stderr=f"{command.partition('!')[2].split()[0]}: Event not found.\n")
    return real("/bin/sh")(command, given)


SHELLS = {
    "sh": real("/bin/sh"),
    "bash": real("/bin/bash"),
    "tcsh": tcsh,
    **({"zsh": real("/usr/bin/zsh", "-f")} if shutil.which("zsh") else {}),
}


class Host(ActionModule):
    """The plugin with one login shell behind it."""

    def __init__(self, shell: Shell, **options: str) -> None:
        self.shell = shell
        self._task: Any = SimpleNamespace(args={}, check_mode=False, async_val=0)
        transport = options.pop("transport", "ssh")
        self._connection: Any = SimpleNamespace(transport=transport, get_option=options.__getitem__)
        self._play_context: Any = SimpleNamespace(become_pass=None, remote_user=None)

    def _low_level_execute_command(self, cmd: str, *_: Any, **how: Any) -> Any:
        return self.shell(f"{how['executable']} -c {shlex.quote(cmd)}", how.get("in_data"))

    def seen(self) -> dict[str, Any]:
        return self.run(task_vars={"inventory_hostname": "air", "ansible_host": "10.0.0.9"})


@pytest.fixture(autouse=True)
def _no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})


@pytest.mark.parametrize("name", SHELLS)
def test_the_look_comes_to_its_end(name: str) -> None:
    found = Host(SHELLS[name]).seen()
    assert found["complete"]
    assert found["kernel"] == os.uname().sysname
    assert not any("login shell" in problem for problem in found["errors"])


@pytest.mark.parametrize("name", SHELLS)
def test_the_holder_of_the_lock_gets_its_order(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = tmp_path / "holder.py"
    holder.write_text('"""It\'s!"""\nimport sys\nassert len(sys.argv) == 2\nprint(sys.argv[1])\n')
    monkeypatch.setattr(run_lock, "PYTHON", sys.executable)
    monkeypatch.setattr(run_holder, "__file__", str(holder))
    order = {"token": "a", "controller": "it's !x", "user": "é!", "playbook": '"!!"', "pid": 7}
    done = SHELLS[name](run_lock._command(order), None)
    assert (done["rc"], done["stderr"]) == (0, "")
    assert json.loads(done["stdout"]) == order


def test_nothing_of_the_look_is_eaten_by_a_command_that_reads() -> None:
    typed = script.as_input("cat >/dev/null\necho probe=end")
    done = SHELLS["sh"](script.SHELL, typed.encode())
    assert done["stdout"] == "probe=end\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(1, stderr="This account is currently not available.\n"), "not available."),
        (answer(1, "This account is currently not available.\n"), "not available."),
        (answer(127, stderr="zsh:1: command not found: /bin/sh\n\n"), "not found: /bin/sh"),
        (answer(1, stderr="oops\nShared connection to air closed.\n"), "last words: oops"),
        (answer(7), "exit code 7, no output"),
        (answer(0, "Welcome!\n"), "last words: Welcome!"),
    ],
)
def test_a_shell_that_ends_first_is_quoted(said: dict[str, Any], words: str) -> None:
    options = {"host": "10.0.0.9", "remote_user": "ada", "port": "2222", "private_key_file": "/k"}
    [problem] = Host(lambda *_: said, **options).seen()["errors"]
    assert "air: the login shell ended before the probe began" in problem
    assert words in problem
    assert "`ssh -p 2222 -i /k ada@10.0.0.9 true`" in problem


def test_a_look_that_is_cut_off_is_not_the_shell_s_fault() -> None:
    said = answer(255, "probe=begin\nkernel=Darwin\n")
    [problem] = Host(lambda *_: said).seen()["errors"]
    assert "air: the probe was cut off (exit code 255, no output)" in problem
    assert problem.endswith("`ssh 10.0.0.9 uptime`")


@pytest.mark.parametrize(
    ("way", "command"),
    [
        (reach.Way("attic.local"), "ssh attic.local true"),
        (reach.Way("a", "ada", 22), "ssh ada@a true"),
        (reach.Way("a", "ada", 2222, "/my keys/k"), "ssh -p 2222 -i '/my keys/k' ada@a true"),
        (reach.Way("a", options="-J gate -o X=1"), "ssh -J gate -o X=1 a true"),
        (reach.Way("localhost", is_ssh=False), "true"),
    ],
)
def test_the_command_goes_the_way_of_the_inventory(way: reach.Way, command: str) -> None:
    assert way.command("true") == command


def test_a_local_connection_needs_no_ssh() -> None:
    [problem] = Host(lambda *_: answer(1), transport="local").seen()["errors"]
    assert "Try `true`" in problem

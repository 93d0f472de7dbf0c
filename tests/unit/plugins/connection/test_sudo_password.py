# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password for sudo is tried with the look, and each refusal of sudo's has its own advice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.closet.inference.plugins.plugin_utils import sudo_password
from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo

# sudo 1.9.13p3, whose input ends after one wrong password
WRONG = "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n"
NOT_LISTED = "admin is not in the sudoers file.\n"
# sudo 1.9.13p3, with a rule for another command alone
NOT_ALLOWED = "Sorry, user admin is not allowed to execute '/usr/bin/true' as root on book.\n"
OWN = sudo.Own("keep it", "--ask-vault-pass")


@pytest.mark.parametrize(
    ("told", "given", "sentence"),
    [
        (WRONG, sudo.Given("", OWN), "(`keep it`), then run this again with --ask-vault-pass too"),
        (WRONG, sudo.Given("", sudo.Own("keep it")), "encrypted (`keep it`), then run this again"),
        (WRONG, sudo.Given("ansible_become_pass", OWN), "from ansible_become_pass: correct it"),
        (NOT_LISTED, sudo.Given("", OWN), "sudo dseditgroup -o edit -a admin -t user admin"),
        (NOT_ALLOWED, sudo.Given("", OWN, is_linux=True), "sudo adduser admin sudo"),
        ("sudo: unable to resolve\n", sudo.Given("", OWN), "(sudo: unable to resolve): try"),
        ("", sudo.Given("", OWN), "(it said nothing): try `sudo -k true` on it"),
    ],
)
def test_each_refusal_has_its_own_advice(told: str, given: sudo.Given, sentence: str) -> None:
    said = sudo.refused("book", "admin", told, given)
    assert said.startswith("book: ")
    assert sentence in said


class Action:
    """As much of an action plugin as is asked, and one sudo behind it."""

    def __init__(self, run_password: str, right: str) -> None:
        self._templar = SimpleNamespace(template=lambda value: value)
        self._play_context = SimpleNamespace(become_pass=run_password)
        self._task = SimpleNamespace(become_method=None)
        self.right = right
        self.commands: list[str] = []

    def _low_level_execute_command(self, command: str, **how: Any) -> dict[str, Any]:
        self.commands.append(command)
        assert not how["sudoable"]
        right = how["in_data"] == f"{self.right}\n".encode()
        return {"rc": 0 if right else 1, "stdout": "", "stderr": "" if right else WRONG}


@pytest.mark.parametrize(
    ("variables", "accepted"),
    [
        ({}, False),
        ({"ansible_become_password": "right"}, True),
        ({"ansible_become_pass": "right"}, True),
        # as Ansible does: the last of the three counts
        ({"ansible_become_password": "wrong", "ansible_become_pass": "right"}, True),
        ({"ansible_become_password": "right", "ansible_sudo_pass": "wrong"}, False),
        # nothing is tried where sudo is not what makes root
        ({"ansible_become_method": "community.general.doas"}, True),
    ],
)
def test_the_password_that_a_task_would_use_is_tried(
    variables: dict[str, str], accepted: bool, tmp_path: Path
) -> None:
    action: Any = Action("of the run", "right")
    known = {"inventory_hostname": "book", "inventory_dir": str(tmp_path), **variables}
    said = sudo_password.error(action, known, "admin", "Darwin")
    assert (said is None) == accepted
    assert not any("right" in command or "of the run" in command for command in action.commands)


def test_without_a_password_nothing_is_tried() -> None:
    action: Any = Action("", "right")
    assert sudo_password.error(action, {"inventory_hostname": "book"}, "admin", "") is None
    assert action.commands == []


@pytest.mark.parametrize("there", ["", "book.yml", "book.yaml", "book/"])
def test_the_advised_command_keeps_a_password_where_ansible_reads_it(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "my home"
    (home / "host_vars").mkdir(parents=True)
    (home / "hosts.yml").write_text("all: {hosts: {book: {}}}\n")
    if there.endswith("/"):
        (home / "host_vars" / there).mkdir()
        (home / "host_vars" / there / "own.yml").write_text("mine: 1\n")
    elif there:
        (home / "host_vars" / there).write_text("mine: 1\n")
    vault = tmp_path / "vault"
    vault.write_text("vault\n")
    monkeypatch.setattr(
        sudo_password, "_vault_arguments", lambda: ["--vault-password-file", str(vault)]
    )
    action: Any = Action("wrong", "right")
    variables = {"inventory_hostname": "book", "inventory_dir": str(home)}
    said = sudo_password.error(action, variables, "admin", "Darwin") or ""
    command = said.split("`")[1]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(
        ["/bin/bash", "-c", command],
        input="right\n", text=True, env=environment, check=True, timeout=60,
    )  # fmt: skip
    show = ["ansible-inventory", "-i", str(home), "--host", "book"]
    shown = subprocess.run(
        [*show, "--vault-password-file", str(vault)],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    found = yaml.safe_load(shown)
    assert "ansible_become_password" in found
    assert ("mine" in found) == bool(there)
    assert "right" not in "".join(
        path.read_text() for path in (home / "host_vars").rglob("*") if path.is_file()
    )

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sudo password that a run has for a host: tried there before anything is changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.origins import Origins

# As the become plugin sudo reads them: the last one that is set counts, then the run's own.
VARIABLES = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
SUFFIXES = (".yml", ".yaml", ".json")


def given(action: ActionBase, variables: Mapping[str, Any]) -> tuple[str, str]:
    """The password, and the variable that it is from; empty strings for none, or for the run's."""
    for name in reversed(VARIABLES):
        if variables.get(name) is not None:
            return str(action._templar.template(variables[name])), name
    return str(action._play_context.become_pass or ""), ""


def error(action: ActionBase, variables: Mapping[str, Any], user: str, system: str) -> str | None:
    """Why the password does not make `user` root there, or None; asks sudo itself.

    It goes through the connection's input, and what sudo remembers of an earlier one is not used.
    """
    password, variable = given(action, variables)
    method = variables.get("ansible_become_method") or action._task.become_method or "sudo"
    if not password or str(method).rpartition(".")[2] != "sudo":
        return None
    program = str(variables.get("ansible_become_exe") or "sudo")
    done = action._low_level_execute_command(
        f"LC_ALL=C {program} -k -S -p '' true",
        sudoable=False,
        executable="/bin/sh",
        in_data=f"{password}\n".encode(),
    )
    if done["rc"] == 0:
        return None
    name = str(variables["inventory_hostname"])
    return sudo.refused(
        name,
        user,
        f"{done['stderr']}\n{done['stdout']}",
        sudo.Given(_placed(variables, variable), _own(variables, name), system == "Linux"),
    )


def _placed(variables: Mapping[str, Any], name: str) -> str:
    """The variable, with the place where the inventory sets it as far as that is known."""
    folder = str(variables.get("inventory_dir") or "")
    if not name or not folder:
        return name
    place = Origins({name: variables[name]}, [Path(folder)], ()).place(name)
    return f"{name} ({place})" if place else name


def _own(variables: Mapping[str, Any], name: str) -> sudo.Own:
    """How this host gets a password of its own, encrypted, in the folder of its inventory."""
    folder = Path(str(variables.get("inventory_dir") or ".")) / "host_vars"
    places = [folder / f"{name}{suffix}" for suffix in ("", *SUFFIXES)]
    found = next((path for path in places if path.exists()), folder / f"{name}.yml")
    file = found / "sudo.yml" if found.is_dir() else found
    vault = [*_vault_arguments()]
    known = vault or constants.DEFAULT_VAULT_PASSWORD_FILE or constants.DEFAULT_VAULT_IDENTITY_LIST
    arguments = ["ansible-vault", "encrypt_string", *(vault if known else ["--ask-vault-pass"])]
    # not its --prompt, which writes a question into the file
    arguments += ["--stdin-name", VARIABLES[0]]
    ask = f"printf %s {shlex.quote(f'sudo password on {name}: ')}; read -rs own"
    command = (
        f"(mkdir -p {shlex.quote(str(file.parent))} && {ask}; "
        f'printf %s "$own" | {shlex.join(arguments)} >> {shlex.quote(str(file))})'
    )
    return sudo.Own(command, "" if known else "--ask-vault-pass")


def _vault_arguments() -> list[str]:
    """The words of this run that open its vaults."""
    options = this_run.invocation().options
    arguments: list[str] = []
    for at, argument in enumerate(options):
        if argument in ("--vault-id", "--vault-password-file"):
            arguments += options[at : at + 2]
        elif argument == "--ask-vault-pass":
            arguments.append(argument)
    return arguments

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does about sudo on a host, in commands that work when pasted. Pure."""

from __future__ import annotations

import re
import shlex

from ansible_collections.closet.inference.plugins.module_utils.house.accounts import (
    sudoers_escaped,
)

FOLDER = "/etc/sudoers.d"


def without_password(user: str, uid: int | None) -> str:
    """The command that lets an account use sudo without a password.

    sudo skips a file whose name has a dot or ends in a tilde (sudoers(5)), and a rule takes the
    number of an account whatever its name is. The new file is checked before sudo reads it.
    """
    name = "nopasswd-" + re.sub(r"[^A-Za-z0-9_-]", "_", user)
    who = f"#{uid}" if uid is not None else sudoers_escaped(user)
    file = f"{FOLDER}/{name}"
    checked = f"umask 337; cat > {file}.new && visudo -cf {file}.new && mv {file}.new {file}"
    rule = shlex.quote(f"{who} ALL=(ALL) NOPASSWD: ALL")
    return f"printf '%s\\n' {rule} | sudo sh -c '{checked}'"


def mend(told: str) -> str:
    """The command for what visudo says of a file."""
    found = re.search(r"(/[^:]+)(?=:)", told)
    file = shlex.quote(found[1]) if found else ""
    if not file:
        return "sudo visudo"
    if "bad permissions" in told:
        return f"sudo chmod 0440 {file}"
    if "wrong owner" in told:
        return f"sudo chown 0:0 {file}"
    return f"sudo visudo -f {file}"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does about sudo on a host, in commands that work when pasted. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ansible_collections.closet.inference.plugins.plugin_utils.probe.accounts import (
    sudoers_escaped,
)

FOLDER = "/etc/sudoers.d"
# sudo's own words (plugins/sudoers/logging.c, auth/sudo_auth.c), in the C locale
_FORBIDS = r"not in the sudoers file|is not allowed to (run sudo|execute)|may not run sudo"
_WRONG = r"incorrect password attempt|no password was provided|Sorry, try again"
# dseditgroup(8)
_ADMIT = "dseditgroup -o edit -a {user} -t user admin"


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


def not_allowed(name: str, user: str, uid: int | None) -> str:
    """The error for a host where this user needs a password for sudo, and the run has none."""
    return (
        f"{name}: {user} may not use sudo without a password: run with --ask-become-pass, or let "
        f"it, on that machine as an administrator: `{without_password(user, uid)}`"
    )


def mend(output: str) -> str:
    """The command for what visudo says of a file."""
    found = re.search(r"(/[^:]+)(?=:)", output)
    file = shlex.quote(found[1]) if found else ""
    if not file:
        return "sudo visudo"
    if "bad permissions" in output:
        return f"sudo chmod 0440 {file}"
    if "wrong owner" in output:
        return f"sudo chown 0:0 {file}"
    return f"sudo visudo -f {file}"


@dataclass(frozen=True)
class Own:
    """The command that gives a host a password of its own, and the option that runs need then."""

    command: str
    option: str = ""


@dataclass(frozen=True)
class Given:
    """Where the password that was tried is from: a variable, or the run itself when it is empty."""

    variable: str
    own: Own
    is_linux: bool = False


def refused(name: str, user: str, output: str, given: Given) -> str:
    """The error for a password that sudo on a host did not take."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    who = shlex.quote(user)
    forbids = next((line for line in lines if re.search(_FORBIDS, line)), "")
    if forbids:
        admit = f"adduser {who} sudo" if given.is_linux else _ADMIT.format(user=who)
        return (
            f"{name}: {user} may not use sudo there, whatever the password ({forbids}): make it an "
            f"administrator, as one on that machine: `sudo {admit}`"
        )
    if not any(re.search(_WRONG, line) for line in lines):
        last = lines[-1][:200] if lines else "it said nothing"
        return f"{name}: sudo does not work for {user} there ({last}): try `sudo -k true` on it"
    if given.variable:
        return (
            f"{name}: sudo does not take the password of {user} there, which is from "
            f"{given.variable}: correct it for {name}"
        )
    option = f" with {given.own.option} too" if given.own.option else ""
    return (
        f"{name}: sudo does not take the password of this run for {user} there. Each machine may "
        f"have another one: keep that of {name} with its variables, encrypted "
        f"(`{given.own.command}`), then run this again{option}"
    )

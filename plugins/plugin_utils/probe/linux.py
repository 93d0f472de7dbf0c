# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a machine that runs Linux can be one of the laptops. Pure; facts.py has them."""

from __future__ import annotations

import shlex

from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
)

DISTRIBUTIONS = ("debian", "ubuntu")
"""ID in os-release, of what is tested (Debian) and what has the same packages and folders."""
ARCHITECTURES = ("amd64", "arm64")
"""As dpkg says it, of the programs and not of the kernel; opencode is built for these two."""
OLDEST_PYTHON = (3, 9)
"""What our modules need; Debian has it since 11, Ubuntu since 22.04."""


def errors(
    name: str, facts: HostFacts, has_sudo_password: bool, serves: bool, in_tailnet: bool = False
) -> list[str]:
    """Return an error for each reason why the Linux machine `name` cannot be worked with."""
    system = facts.system or "Linux"
    if serves:
        return [
            f"{name} runs {system}, and a closet is a Mac with Apple Silicon, since MLX computes "
            "on nothing else: name your Mac in the group closet. A machine with Debian or Ubuntu "
            "can be in the group clients"
        ]
    if facts.distribution not in DISTRIBUTIONS:
        return [
            f"{name} runs {system}, and a laptop has macOS, Debian or Ubuntu: "
            "take it out of the inventory"
        ]
    if facts.architecture not in ARCHITECTURES:
        return [
            f"{name} has programs for {facts.architecture or 'an unknown processor'}, and opencode "
            f"is built for {' and '.join(ARCHITECTURES)}: take it out of the inventory"
        ]
    found = [_no_sudo(name, facts, has_sudo_password), _no_python(name, facts, system)]
    if in_tailnet:
        found.append(_no_tailnet(name, system))
    return [sentence for sentence in found if sentence]


def _no_tailnet(name: str, system: str) -> str:
    """The role installs Homebrew's build, and a LaunchDaemon for it."""
    return (
        f"{name} runs {system}, and closet_tailnet puts it into the tailnet: this collection runs "
        f'Tailscale on Macs only. Leave it out of it with closet_tailnet: "" and closet_reach: lan '
        f"in the host_vars of {name}, which takes a closet with closet_exposure: lan. A Tailscale "
        "that you install there by its own package is not touched"
    )


def _no_sudo(name: str, facts: HostFacts, has_sudo_password: bool) -> str | None:
    """Debian installs none when root has a password of its own."""
    if facts.has_sudo is False:
        return (
            f"{name} has no sudo: as root on it, run `apt-get install sudo`, then "
            f"`adduser {shlex.quote(facts.user or '')} sudo`"
        )
    if facts.sudo is False and not has_sudo_password:
        return sudo.not_allowed(name, facts.user or "", facts.uid)
    return None


def _no_python(name: str, facts: HostFacts, system: str) -> str | None:
    if facts.python is None:
        return f"{name} has no /usr/bin/python3: run `sudo apt-get install python3` on it"
    if tuple(int(number) for number in facts.python.split(".")) < OLDEST_PYTHON:
        return (
            f"{name} runs {system} with Python {facts.python}, and the oldest that works is "
            f"{'.'.join(map(str, OLDEST_PYTHON))}: update it to Debian 11, Ubuntu 22.04 or newer"
        )
    return None

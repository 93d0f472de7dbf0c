# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host that runs macOS can be provisioned, and what its owner should know. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import HostFacts

# The one file of sudo rules that is ours.
SUDOERS = "closet-wired-memory"


def errors(name: str, facts: HostFacts, minimum_macos: str, has_sudo_password: bool) -> list[str]:
    """Return an error for each reason why the host `name` cannot be worked with."""
    if facts.kernel != "Darwin":
        return [f"{name} runs {facts.kernel}, not macOS: take it out of the inventory"]
    found = []
    if facts.machine != "arm64":
        found.append(
            f"{name} is not Apple Silicon ({facts.machine}): MLX needs an M-series Mac, "
            "take it out of the inventory"
        )
    if facts.macos is None or _older(facts.macos, minimum_macos):
        found.append(
            f"{name} runs macOS {facts.macos}, the oldest that works is {minimum_macos}: "
            "update it in System Settings > General > Software Update"
        )
    if facts.tools is None:
        found.append(
            f"{name} has no Command Line Tools, so no Python: run `xcode-select --install` on it"
        )
    if facts.sudo is False and not has_sudo_password:
        found.append(sudo.not_allowed(name, facts.user or "", facts.uid))
    return found


def too_old_to_serve(
    name: str, facts: HostFacts, serving: Mapping[str, Any], minimum_macos: str
) -> str | None:
    """Return why this macOS does not run the backend, or None; also where none does."""
    backend = str(serving.get("backend", ""))
    needed = backends()[backend].macos if backend in backends() else None
    if needed is None or facts.macos is None or not _older(facts.macos, needed):
        return None
    if _older(facts.macos, minimum_macos):
        return None  # said already
    others = [one.name for one in backends().values() if not _older(facts.macos, one.macos)]
    way = f", or choose a profile of {' or '.join(others)}" if others else ""
    return (
        f"{name} runs macOS {facts.macos}, and {backend}, which profile {serving.get('profile')} "
        f"serves with, needs {needed}: update it in System Settings > General > Software "
        f"Update{way}"
    )


def closet_errors(
    name: str, facts: HostFacts, serving: Mapping[str, Any], url_host: str
) -> list[str]:
    """Return an error for each reason why this Mac cannot serve, but for its memory."""
    found = []
    if facts.foreign_listeners:
        programs = ", ".join(facts.foreign_listeners)
        found.append(
            f"{name}: port {serving['port']} is in use by {programs}, which is "
            f"not ours: end it (`sudo lsof -nP -iTCP:{serving['port']} -sTCP:LISTEN` shows it), or "
            "set closet_port to another one"
        )
    if _is_elsewhere(url_host, facts.addresses):
        found.append(
            f"{name}: closet_url_host is {url_host}, and this Mac has "
            f"{', '.join(facts.addresses)}: the laptops would ask another machine. "
            "Set it to one of these, or to a name"
        )
    # a broken file of ours is written anew by the role
    if facts.sudoers and SUDOERS not in facts.sudoers:
        found.append(
            f"{name}: its sudoers configuration was already invalid ({facts.sudoers}), and "
            f"another file would not repair it: run on it `{sudo.mend(facts.sudoers)}`"
        )
    if facts.sysctl_conf_odd:
        found.append(
            f"{name}: /etc/sysctl.conf is not a file, and our line belongs into it: check it "
            "with `ls -l /etc/sysctl.conf` and move it away with "
            "`sudo mv -n /etc/sysctl.conf /etc/sysctl.conf.aside`"
        )
    return found


def no_account(name: str, facts: HostFacts, account: str) -> str | None:
    """Return why the server cannot run as `account`, or None; an empty one is the user's own."""
    setting = f"{name}: closet_service_account is '{account}'"
    if not account or not facts.complete:
        return None
    if facts.account_uid is None:
        return (
            f"{setting}, and there is no such account. Make one under System Settings > Users & "
            "Groups, of the kind Standard, or leave closet_service_account out"
        )
    if facts.account_uid == 0:
        return f"{setting}; what answers the LAN must not be root. Name another account"
    # one that is there and not right has an error of its own, from homes.py
    if facts.account_home is None and not any(step.who == account for step in facts.places):
        return f"{setting}, which has no home folder there: log in as it once, or make the folder"
    return None


def laptop_closet(name: str, facts: HostFacts, shape: str) -> str | None:
    """Return why a laptop cannot be the closet of this shape, or None."""
    if not facts.battery or shape == "workstation":
        return None
    return (
        f"{name} has a battery, and a closet is a Mac that is always there: this one sleeps when "
        "its lid is closed. Serve from a desktop; or, if it is the Mac that you work on and that "
        f"serves as well, set closet_shape: workstation for {name}"
    )


def warnings(name: str, facts: HostFacts, on_battery: str) -> list[str]:
    """Return what the owner of a closet should know, though nothing is refused for it."""
    found = []
    if facts.filevault:
        found.append(
            f"{name}: FileVault is on, so nothing of ours starts after a power cut until a user "
            "unlocks the disk, at the screen or, with macOS 26, by ssh with a password. For a "
            "restart that you plan: `sudo fdesetup authrestart`. To come back alone it has to be "
            "off"
        )
    if facts.autologin:
        found.append(
            f"{name} logs {facts.autologin} in by itself. The server does not need that, and "
            "whoever stands before the Mac is in: System Settings > Users & Groups"
        )
    for label in facts.turned_off:
        found.append(
            f"{name}: {label} was turned off under System Settings > General > Login Items & "
            "Extensions, so launchd will not start it. Turn it on there; nothing else can"
        )
    if facts.on_battery and on_battery != "nothing":
        found.append(
            f"{name} is on its battery, and closet_on_battery is {on_battery}: within a minute "
            "after this run that takes effect again"
        )
    return found


def _is_elsewhere(url_host: str, addresses: tuple[str, ...]) -> bool:
    """An address, not a name, that none of the Mac's interfaces has."""
    try:
        address = ipaddress.ip_address(url_host)
    except ValueError:
        return False
    return address.version == 4 and bool(addresses) and url_host not in addresses


def _older(version: str, minimum: str) -> bool:
    return _numbers(version) < _numbers(minimum)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())

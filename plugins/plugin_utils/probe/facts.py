# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a Mac tells, and whether it is a Mac we can work with.

Pure. Facts that could not be read are None, never a guess; script.py has the command itself.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import key_holders as holders
from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    homes,
    obstacles,
    person,
    rivals,
    space,
)

# The one file of sudo rules that is ours.
SUDOERS = "closet-wired-memory"
# Of /opt/closet, the folder of its state, and the two files in it, sorted.
STATE_MODES = [*("-rw-r--r--", "0", "0") * 2, *("drwxr-xr-x", "0", "0") * 2]


@dataclass(frozen=True)
class Mac:
    """Facts of one host; memory and limits in MiB."""

    kernel: str | None = None
    machine: str | None = None
    macos: str | None = None
    model: str | None = None
    memory_mb: int | None = None
    wired_limit_mb: int | None = None
    user: str | None = None
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    home: str | None = None
    uuid: str | None = None
    """Of a Mac's hardware; of a Linux laptop its machine-id."""
    account_uid: int | None = None
    """Of the account that serves, when another one than `user` was asked for."""
    account_group: str | None = None
    account_gid: int | None = None
    account_home: str | None = None
    places: tuple[homes.Place, ...] = ()
    in_the_way: tuple[obstacles.Obstacle, ...] = ()
    """What stands in the user's home where a run puts something."""
    in_the_account_s_way: tuple[obstacles.Obstacle, ...] = ()
    """The same of the account that serves."""
    """The steps on the way to each home."""
    disks: tuple[space.Disk, ...] = ()
    sudo: bool | None = None
    tools: str | None = None
    distribution: str | None = None
    """Of a Linux laptop, as os-release says it: its ID, and below the name for people."""
    system: str | None = None
    architecture: str | None = None
    avx2: bool | None = None
    python: str | None = None
    has_sudo: bool | None = None
    address: str | None = None
    battery: bool | None = None
    """Whether it is a laptop; a battery backup does not count."""
    on_battery: bool | None = None
    filevault: bool | None = None
    autologin: str | None = None
    turned_off: tuple[str, ...] = ()
    """Labels of ours that somebody turned off under Login Items & Extensions."""
    installed: tuple[str, ...] = ()
    """Complete installations, the newest first."""
    addresses: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    """Programs that listen on the closet's port and are none of ours."""
    sudoers: str | None = None
    """What visudo says is wrong with the sudo rules as they are."""
    sysctl_conf_odd: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)
    """What the closet last was seen to serve; empty when nothing readable is there."""
    state_is_roots: bool = False
    """Whether the two files above and below, and their folders, are root's with the right modes."""
    key_holders: tuple[holders.Holder, ...] = ()
    """Where the closet's server has found its keys so far."""
    run: str = ""
    """What the lock file of runs says: who holds this closet, or held it last."""
    hub: tuple[str, ...] = ()
    consent_modes: str = ""
    consent: str = ""
    firewall: tuple[str, ...] = ()
    jobs: tuple[str, ...] | None = None
    """Labels of ours that launchd has loaded or has a plist of; None when nobody could say."""
    mcp: tuple[str, ...] = ()
    """Files that the role mcp keeps in the user's home, by name."""
    opencode: tuple[str, ...] = ()
    """Files of the person's own that opencode reads, below the home."""
    reached_at: str | None = None
    """The address of this Mac at which our ssh connection arrives."""
    tailscale: tuple[str, ...] = ()
    """`ours`, `app`, and labels of daemons that somebody else set up."""
    versions: tuple[tuple[str, str], ...] = ()
    """Version of omlx by environment; a fork of another name has none."""
    served_from: tuple[tuple[str, str], ...] = ()
    """The release that each server of ours is started from, by name."""
    rivals: rivals.Found = rivals.NONE
    """Other people's jobs that mention what a closet sets."""
    person: person.Person = person.NOBODY
    """What the shell of the laptop's person says."""
    tailnet: str = ""
    """Nothing without Tailscale, `found`, or `found` and the state of the node, as it says it."""
    complete: bool = False
    """Whether the look came to its end; without it nothing above is to be trusted."""


def parse(text: str) -> Mac:
    """Read what LOOK printed; lines that are not ours (a banner, a motd) are skipped."""
    values: dict[str, str] = {}
    many: dict[str, list[str]] = {
        "rival_job": [],
        "rival_script": [],
        "rival_switch": [],
        "rival_log": [],
        "installed": [],
        "obstacle": [],
        "account_obstacle": [],
        "listener": [],
        "ours": [],
        "hub_line": [],
        "version": [],
        "served_from": [],
        "opencode": [],
        "place": [],
        "room": [],
    }
    # no other sign ends a line of the look: str.splitlines knows ten of them, which a name may hold
    for line in text.split("\n"):
        key, _sign, value = line.strip().partition("=")
        if key in many:
            many[key].append(value)
        elif key == "look" and value == "end":
            values["end"] = "yes"
        else:
            values[key] = value.strip()
    # memory, model and limit come from one sysctl; a Mac without the limit prints two lines
    words = values.get("sysctl", "").split()
    memory = int(words[0]) // (1024 * 1024) if words and words[0].isdigit() else None
    limit = int(words[2]) if len(words) > 2 and words[2].isdigit() else None
    power = values.get("power", "")
    uid, _space, account_group = values.get("account", "").partition(" ")
    ids = [int(word) for word in values.get("ids", "").split() if word.isdigit()]
    return Mac(
        kernel=values.get("kernel") or None,
        machine=values.get("machine") or None,
        macos=values.get("macos") or None,
        model=words[1] if len(words) > 1 else None,
        memory_mb=memory,
        wired_limit_mb=limit,
        user=values.get("user") or None,
        group=values.get("group") or None,
        uid=ids[0] if len(ids) == 2 else None,
        gid=ids[1] if len(ids) == 2 else None,
        home=values.get("home") or None,
        uuid=values.get("uuid") or None,
        account_uid=int(uid) if uid.isdigit() else None,
        account_group=account_group or None,
        account_gid=int(gid) if (gid := values.get("account_gid", "")).isdigit() else None,
        account_home=values.get("account_home") or None,
        places=homes.places(many["place"]),
        in_the_way=obstacles.found(many["obstacle"]),
        in_the_account_s_way=obstacles.found(many["account_obstacle"]),
        disks=space.disks(many["room"]),
        sudo={"yes": True, "no": False}.get(values.get("sudo", "")),
        tools=values.get("tools") or None,
        distribution=values.get("distribution") or None,
        system=values.get("system") or None,
        architecture=values.get("architecture") or None,
        avx2={"yes": True, "no": False}.get(values.get("avx2", "")),
        python=values.get("python") or None,
        has_sudo={"yes": True, "no": False}.get(values.get("has_sudo", "")),
        address=values.get("address") or None,
        battery="InternalBattery" in power if power else None,
        on_battery="'Battery Power'" in power if power else None,
        filevault={"FileVault is On.": True, "FileVault is Off.": False}.get(
            values.get("filevault", "").partition(".")[0] + "."
        ),
        autologin=values.get("autologin") or None,
        turned_off=tuple(values.get("turned_off", "").split()),
        versions=_pairs(many["version"]),
        served_from=_pairs(many["served_from"]),
        installed=tuple(many["installed"]),
        addresses=tuple(values.get("addresses", "").split()),
        strangers=_strangers(many["listener"], many["ours"]),
        sudoers=values.get("sudoers") or None,
        sysctl_conf_odd=bool(values.get("sysctl_conf")),
        record=_record(values.get("record", "")),
        state_is_roots=values.get("state_modes", "").split() == STATE_MODES,
        key_holders=holders.read(values.get("holders", "")),
        run=values.get("run", ""),
        hub=tuple(many["hub_line"]),
        consent_modes=values.get("consent_modes", ""),
        consent=values.get("consent", ""),
        firewall=tuple(values.get("firewall", "").split()),
        jobs=tuple(jobs[1:]) if (jobs := values.get("jobs", "").split()) else None,
        mcp=tuple(values.get("mcp", "").split()),
        opencode=tuple(many["opencode"]),
        rivals=rivals.found(many),
        person=person.read(values),
        tailnet=values.get("tailnet", ""),
        reached_at=values.get("reached_at") or None,
        tailscale=tuple(values.get("tailscale", "").split()),
        complete="end" in values,
    )


def plain(facts: Mac) -> dict[str, Any]:
    """Return the facts as values for playbooks."""
    values = {
        **asdict(facts),
        "record": dict(facts.record),
        "versions": dict(facts.versions),
        # group 0 has two names
        "root_group": "root" if facts.kernel == "Linux" else "wheel",
        "served_from": dict(facts.served_from),
        "zsh_folders": person.zsh_folders(facts.person),
    }
    for long in (
        "hub",
        "places",
        "disks",
        "in_the_way",
        "in_the_account_s_way",
        "rivals",
        "person",
    ):  # judged here, and nobody's business after it
        del values[long]
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }


def problems(name: str, facts: Mac, minimum_macos: str, has_sudo_password: bool) -> list[str]:
    """Return a sentence for each reason why the host `name` cannot be worked with."""
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
    found += filter(None, [may_not_sudo(name, facts, has_sudo_password)])
    return found


def too_old_to_serve(
    name: str, facts: Mac, offer: Mapping[str, Any], minimum_macos: str
) -> str | None:
    """Return why this macOS does not run the offer's backend, or None; also where none does."""
    backend = str(offer.get("backend", ""))
    needed = backends()[backend].macos if backend in backends() else None
    if needed is None or facts.macos is None or not _older(facts.macos, needed):
        return None
    if _older(facts.macos, minimum_macos):
        return None  # said already
    others = [one for one in backends().values() if not _older(facts.macos, one.macos)]
    way = f", or choose a profile of {' or '.join(one.name for one in others)}" if others else ""
    return (
        f"{name} runs macOS {facts.macos}, and {backend}, which profile {offer.get('profile')} "
        f"serves with, needs {needed}: update it in System Settings > General > Software "
        f"Update{way}"
    )


def may_not_sudo(name: str, facts: Mac, has_sudo_password: bool) -> str | None:
    """Return why nothing can be done as root there, or None."""
    if facts.sudo is not False or has_sudo_password:
        return None
    return (
        f"{name}: {facts.user} may not use sudo without a password: run with "
        "--ask-become-pass, or let it, on that machine as an administrator: "
        f"`{sudo.without_password(facts.user or '', facts.uid)}`"
    )


def closet_problems(name: str, facts: Mac, offer: Mapping[str, Any], url_host: str) -> list[str]:
    """Return a sentence for each reason why this Mac cannot serve an offer, but for its memory."""
    found = []
    if facts.strangers:
        found.append(
            f"{name}: port {offer['port']} is in use by {', '.join(facts.strangers)}, which is "
            f"not ours: end it (`sudo lsof -nP -iTCP:{offer['port']} -sTCP:LISTEN` shows it), or "
            "set closet_port to another one"
        )
    if _is_elsewhere(url_host, facts.addresses):
        found.append(
            f"{name}: closet_url_host is {url_host}, and this Mac has "
            f"{', '.join(facts.addresses)}: the laptops would ask somebody else. "
            "Set it to one of these, or to a name"
        )
    # a broken file of ours is written anew by the role
    if facts.sudoers and SUDOERS not in facts.sudoers:
        found.append(
            f"{name}: its sudo rules were broken before us ({facts.sudoers}), and another file "
            f"would not mend them: run on it `{sudo.mend(facts.sudoers)}`"
        )
    if facts.sysctl_conf_odd:
        found.append(
            f"{name}: /etc/sysctl.conf is not a file, and our line belongs into it: look at it "
            "with `ls -l /etc/sysctl.conf` and move it away with "
            "`sudo mv -n /etc/sysctl.conf /etc/sysctl.conf.aside`"
        )
    return found


def no_account(name: str, facts: Mac, account: str) -> str | None:
    """Return why the server cannot run as `account`, or None; an empty one is the user's own."""
    told = f"{name}: closet_service_account is '{account}'"
    if not account or not facts.complete:
        return None
    if facts.account_uid is None:
        return (
            f"{told}, and there is no such account. Make one under System Settings > Users & "
            "Groups, of the kind Standard, or leave closet_service_account out"
        )
    if facts.account_uid == 0:
        return f"{told}; what answers the LAN must not be root. Name another account"
    # one that is there and not right has a sentence of its own, from homes.py
    if facts.account_home is None and not any(step.who == account for step in facts.places):
        return f"{told}, which has no home folder there: log in as it once, or make the folder"
    return None


def laptop_closet(name: str, facts: Mac, shape: str) -> str | None:
    """Return why a laptop cannot be the closet of this shape, or None."""
    if not facts.battery or shape == "workstation":
        return None
    return (
        f"{name} has a battery, and a closet is a Mac that is always there: this one sleeps when "
        "its lid is closed. Serve from a desktop; or, if it is the Mac that you work on and that "
        f"serves as well, set closet_shape: workstation for {name}"
    )


def remarks(name: str, facts: Mac, on_battery: str) -> list[str]:
    """Return what the owner of a closet should know, though nothing is refused for it."""
    found = []
    if facts.filevault:
        found.append(
            f"{name}: FileVault is on, so nothing of ours starts after a power cut until somebody "
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


def _strangers(listeners: list[str], ours: list[str]) -> tuple[str, ...]:
    """Listeners whose process, parent and grandparent launchd does not run for us."""
    pids = {pid for pid in ours if pid}
    found = []
    for line in listeners:
        pid, parent, grandparent, *words = [*line.split(), "", "", ""]
        if not pids & {pid, parent, grandparent}:
            found.append(f"{' '.join(words).strip() or 'a program'} (pid {pid})")
    return tuple(dict.fromkeys(found))


def _pairs(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """A name and a value from each line that has both."""
    found = (line.partition(" ") for line in lines)
    return tuple((name, value) for name, _space, value in found if value)


def _record(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    whole = isinstance(found, dict) and isinstance(found.get("offer"), dict)
    return found if whole and found.get("serve_dir") else {}


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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one host, read from what the script of script.py printed there.

Pure. Facts that could not be read are None, never a guess. macos.py and linux.py judge them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import key_holders
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    homes,
    obstacles,
    person,
    rivals,
    space,
)

# Of /opt/closet, the folder of its state, and the two files in it, sorted.
STATE_MODES = [*("-rw-r--r--", "0", "0") * 2, *("drwxr-xr-x", "0", "0") * 2]
# Names that can stand in several lines.
LISTS = (
    *("rival_job", "rival_script", "rival_switch", "rival_log"),
    *("installed", "obstacle", "account_obstacle", "listener", "ours", "hub_line"),
    *("version", "served_from", "opencode", "place", "room"),
)
YES_OR_NO = {"yes": True, "no": False}
# fdesetup(8)
FILEVAULT = {"FileVault is On": True, "FileVault is Off": False}
# Facts that playbooks do not get.
JUDGED_HERE = {"hub", "places", "disks", "in_the_way", "in_the_account_s_way", "rivals", "person"}
_Values = Mapping[str, str]
_Lists = dict[str, list[str]]


@dataclass(frozen=True)
class HostFacts:
    """What a run knows of one host; memory and limits in MiB."""

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
    """The steps on the way to each home."""
    in_the_way: tuple[obstacles.Obstacle, ...] = ()
    """What stands in the user's home where a run puts something."""
    in_the_account_s_way: tuple[obstacles.Obstacle, ...] = ()
    """The same of the account that serves."""
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
    """Labels of ours that are turned off under Login Items & Extensions."""
    installed: tuple[str, ...] = ()
    """Complete installations, the newest first."""
    addresses: tuple[str, ...] = ()
    foreign_listeners: tuple[str, ...] = ()
    """Programs that listen on the closet's port and are none of ours."""
    sudoers: str | None = None
    """What visudo says is wrong with the sudo rules as they are."""
    sysctl_conf_odd: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)
    """What the closet last was seen to serve; empty when nothing readable is there."""
    state_is_roots: bool = False
    """Whether the two files above and below, and their folders, are root's with the right modes."""
    key_holders: tuple[key_holders.Holder, ...] = ()
    """Where the closet's server has found its keys so far."""
    run: str = ""
    """What the lock file of runs says: who holds this closet, or held it last."""
    hub: tuple[str, ...] = ()
    consent_modes: str = ""
    consent: str = ""
    firewall: tuple[str, ...] = ()
    jobs: tuple[str, ...] | None = None
    """Labels of ours that launchd has loaded or has a plist of; None when it did not say."""
    mcp: tuple[str, ...] = ()
    """Files that the role mcp keeps in the user's home, by name."""
    opencode: tuple[str, ...] = ()
    """Files of the person's own that opencode reads, below the home."""
    reached_at: str | None = None
    """The address of this Mac at which our ssh connection arrives."""
    tailscale: tuple[str, ...] = ()
    """`ours`, `app`, and labels of daemons that are not ours."""
    versions: tuple[tuple[str, str], ...] = ()
    """Version of omlx by environment; a fork of another name has none."""
    served_from: tuple[tuple[str, str], ...] = ()
    """The release that each server of ours is started from, by name."""
    rivals: rivals.Found = rivals.NONE
    """Other people's jobs that mention what a closet sets."""
    person: person.Person = person.UNKNOWN
    """What the shell of the laptop's person says."""
    tailnet: str = ""
    """Nothing without Tailscale, `found`, or `found` and the state of the node, as it says it."""
    complete: bool = False
    """Whether the script came to its end; without it nothing above is to be trusted."""


def parse(text: str) -> HostFacts:
    """Read what the script printed; other lines (a banner, a motd) are skipped."""
    values, lists = _read(text)
    facts = HostFacts(
        installed=tuple(lists["installed"]),
        hub=tuple(lists["hub_line"]),
        run=values.get("run", ""),
        person=person.read(values),
        tailnet=values.get("tailnet", ""),
        reached_at=values.get("reached_at") or None,
        tailscale=tuple(values.get("tailscale", "").split()),
        mcp=tuple(values.get("mcp", "").split()),
        opencode=tuple(lists["opencode"]),
        complete="end" in values,
    )
    facts = _with_machine(facts, values, lists)
    facts = _with_accounts(facts, values, lists)
    facts = _with_settings(facts, values)
    return _with_closet(facts, values, lists)


def _read(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The values by name, and those of the names that can stand in several lines."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in LISTS}
    # no other sign ends a line of the script's: str.splitlines knows ten, and a name may hold one
    for line in text.split("\n"):
        key, _sign, value = line.strip().partition("=")
        if key in lists:
            lists[key].append(value)
        elif key == "probe" and value == "end":
            values["end"] = "yes"
        else:
            values[key] = value.strip()
    return values, lists


def _with_machine(facts: HostFacts, values: _Values, lists: _Lists) -> HostFacts:
    """With the hardware, the system and its programs."""
    # memory, model and limit come from one sysctl; a Mac without the limit prints two lines
    sysctl = values.get("sysctl", "").split()
    power = values.get("power", "")
    return replace(
        facts,
        kernel=values.get("kernel") or None,
        machine=values.get("machine") or None,
        macos=values.get("macos") or None,
        model=sysctl[1] if len(sysctl) > 1 else None,
        memory_mb=int(sysctl[0]) // 1048576 if sysctl and sysctl[0].isdigit() else None,
        wired_limit_mb=int(sysctl[2]) if len(sysctl) > 2 and sysctl[2].isdigit() else None,
        uuid=values.get("uuid") or None,
        disks=space.disks(lists["room"]),
        tools=values.get("tools") or None,
        distribution=values.get("distribution") or None,
        system=values.get("system") or None,
        architecture=values.get("architecture") or None,
        avx2=YES_OR_NO.get(values.get("avx2", "")),
        python=values.get("python") or None,
        address=values.get("address") or None,
        addresses=tuple(values.get("addresses", "").split()),
        battery="InternalBattery" in power if power else None,
        on_battery="'Battery Power'" in power if power else None,
    )


def _with_accounts(facts: HostFacts, values: _Values, lists: _Lists) -> HostFacts:
    """With the user of this run, the account that serves, and what is in their homes."""
    uid, _space, account_group = values.get("account", "").partition(" ")
    gid = values.get("account_gid", "")
    ids = [int(number) for number in values.get("ids", "").split() if number.isdigit()]
    return replace(
        facts,
        user=values.get("user") or None,
        group=values.get("group") or None,
        uid=ids[0] if len(ids) == 2 else None,
        gid=ids[1] if len(ids) == 2 else None,
        home=values.get("home") or None,
        account_uid=int(uid) if uid.isdigit() else None,
        account_group=account_group or None,
        account_gid=int(gid) if gid.isdigit() else None,
        account_home=values.get("account_home") or None,
        places=homes.places(lists["place"]),
        in_the_way=obstacles.found(lists["obstacle"]),
        in_the_account_s_way=obstacles.found(lists["account_obstacle"]),
        sudo=YES_OR_NO.get(values.get("sudo", "")),
        has_sudo=YES_OR_NO.get(values.get("has_sudo", "")),
    )


def _with_settings(facts: HostFacts, values: _Values) -> HostFacts:
    """With what its owner has set that matters to a closet."""
    return replace(
        facts,
        filevault=FILEVAULT.get(values.get("filevault", "").partition(".")[0]),
        autologin=values.get("autologin") or None,
        turned_off=tuple(values.get("turned_off", "").split()),
        sudoers=values.get("sudoers") or None,
        sysctl_conf_odd=bool(values.get("sysctl_conf")),
        firewall=tuple(values.get("firewall", "").split()),
    )


def _with_closet(facts: HostFacts, values: _Values, lists: _Lists) -> HostFacts:
    """With what runs have left on a closet, and what else runs there."""
    jobs = values.get("jobs", "").split()
    return replace(
        facts,
        versions=_pairs(lists["version"]),
        served_from=_pairs(lists["served_from"]),
        foreign_listeners=_foreign_listeners(lists["listener"], lists["ours"]),
        record=_record(values.get("record", "")),
        state_is_roots=values.get("state_modes", "").split() == STATE_MODES,
        key_holders=key_holders.read(values.get("holders", "")),
        consent_modes=values.get("consent_modes", ""),
        consent=values.get("consent", ""),
        jobs=tuple(jobs[1:]) if jobs else None,
        rivals=rivals.found(lists),
    )


def plain(facts: HostFacts) -> dict[str, Any]:
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
    for name in JUDGED_HERE:
        del values[name]
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in values.items()
    }


def _foreign_listeners(listeners: list[str], ours: list[str]) -> tuple[str, ...]:
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
    whole = isinstance(found, dict) and isinstance(found.get("serving"), dict)
    return found if whole and found.get("serve_dir") else {}

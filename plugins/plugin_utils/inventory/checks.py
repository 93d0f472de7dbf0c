# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an inventory as such: its groups, its addresses, its names, its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible import constants

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    formats,
    names,
    values,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.specs import ROLES
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation

VARS_SUFFIXES = (".yml", ".yaml", ".json")


def group_errors(inventory: Inventory) -> Iterator[str]:
    """Groups and addresses that no run could work with."""
    where = ", ".join(str(source) for source in inventory.sources) or "the inventory"
    if not inventory.closets:
        yield f"{where} has no host in the group closet: name your Mac there"
    for name in sorted(set(inventory.closets) & set(inventory.clients)):
        yield f"{where} has {name} in both closet and clients: a Mac is one or the other"
    for name in sorted(set(constants.LOCALHOST) & set(inventory.hosts)):
        yield (
            f"{where}: {name} is Ansible's own name for the machine that it runs on, and no "
            "closet or laptop can have it: give that machine a name of its own, as in "
            "`air: {ansible_connection: local}`"
        )
    for name in inventory.closets:
        address = str(inventory.value(name, "ansible_host", name))
        if not formats.HOST.fits(str(inventory.url_host(name))):
            yield (
                f"{where}: laptops cannot use {address} as the address of {name}, since it is "
                "no host name and no IP address without a zone: set closet_url_host for it"
            )
    owner: dict[str, str] = {}
    for name in inventory.hosts:
        address = str(inventory.value(name, "ansible_host", name))
        other = owner.setdefault(names.same_host(address), name)
        if other != name:
            yield (
                f"{where}: {name} and {other} have one address ({address}), "
                "so one Mac would get two names"
            )


def unread_files(inventory: Inventory) -> Iterator[str]:
    """Files of variables that Ansible never reads, since their name is no host's or group's."""
    for folder in inventory.folders:
        for part, known in (
            ("host_vars", inventory.groups.get("all", [])),
            ("group_vars", inventory.groups),
        ):
            for path in sorted((folder / part).glob("[!.]*")):
                name = path.stem if path.suffix in VARS_SUFFIXES else path.name
                hint = names.suggestion(name, known)
                # a host's name may have dots; a README or a backup is no file of variables
                if name not in known and (hint or path.suffix in ("", *VARS_SUFFIXES)):
                    yield (
                        f"{path} is read for no {part.partition('_')[0]}, since the inventory "
                        f"has none named {name}{hint}"
                    )


def name_errors(inventory: Inventory) -> Iterator[str]:
    """Variables that are misspelled."""
    seen: dict[str, str] = {}
    for host in inventory.hosts:
        # names only: nothing is templated, so this stays cheap with many hosts
        for name in inventory.origins[host].names():
            seen.setdefault(name, host)
    known = {**inventory.options, **inventory.specs.extra}
    for name in _misspelled(inventory, set(seen) - set(known)):
        place = inventory.origins[seen[name]].place(name)
        hint = names.suggestion(name, known)
        yield f"{place}: no role knows the variable {name} (host {seen[name]}){hint}"


def _misspelled(inventory: Inventory, given: Iterable[str]) -> list[str]:
    prefixes = {path.name for path in ROLES.iterdir() if path.is_dir()}
    return names.misspelled(given, inventory.options, prefixes)


def extra_errors(
    inventory: Inventory, playbook: str, run: Invocation, profile_names: Sequence[str]
) -> Iterator[str]:
    """What is wrong with the playbooks' own variables, which -e gives.

    `playbook` is the name of this run's playbook, '' for one that is not ours. `run` makes the
    command to use instead, with the first of `profile_names` where a profile is needed.
    """
    known = inventory.specs.extra
    own = inventory.specs.of_playbooks.get(playbook, {})
    for name in sorted(set(inventory.extra) - set(known) - set(inventory.options)):
        if not _misspelled(inventory, [name]):  # which name_errors has
            hint = names.suggestion(name, known, cutoff=0.8)
            if hint:
                yield f"-e: no playbook knows the variable {name}{hint}"
    for name in sorted(set(inventory.extra) & set(known)):
        for error in values.errors(name, known[name], inventory.extra_value(name)):
            choices = own.get(name, {}).get("choices", [])
            instead = [run.playbook(playbook, "-e", f"{name}={choice}") for choice in choices[:1]]
            yield f"-e: {error}" + "".join(f": `{command}`" for command in instead)
    for name, spec in own.items():
        if spec.get("required") and inventory.extra_value(name) in (None, ""):
            choices = list(spec.get("choices", profile_names))
            command = run.playbook(playbook, "-e", f"{name}={choices[0]}")
            yield f"{playbook}.yml needs {name}, one of {', '.join(choices)}: `{command}`"

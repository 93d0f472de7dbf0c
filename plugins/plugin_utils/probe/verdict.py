# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All reasons of a run not to begin, from what was found on its hosts. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

Facts = Mapping[str, Any]
# One of a Mac's hardware, and one that an installation of Linux gave itself (machine-id(5)).
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{32}")


def errors(
    found: Mapping[str, Facts], closets: Collection[str], silent: Collection[str], consent: bool
) -> list[str]:
    """One error for each reason.

    Args:
        found: what host_facts told, by host.
        silent: the hosts that did not answer.
        consent: whether the LAN's consent and the choice of a profile have to be settled too.
    """
    kinds = ("errors", "consent_errors", "choice_errors") if consent else ("errors",)
    return [
        *(error for kind in kinds for one in found.values() for error in one.get(kind) or ()),
        *duplicates(found),
        *(
            f"{host} is the closet and does not answer, see above"
            for host in closets
            if host in silent
        ),
    ]


def duplicates(found: Mapping[str, Facts]) -> Iterator[str]:
    """Hosts that are one machine under several names, whatever addresses they have."""
    names: dict[str, list[str]] = {}
    for host, facts in found.items():
        uuid = str(facts.get("uuid") or "")
        if _UUID.fullmatch(uuid):
            names.setdefault(uuid, []).append(host)
    for uuid, hosts in names.items():
        if len(hosts) > 1:
            yield _message(hosts, uuid, "-" in uuid)


def _message(hosts: list[str], uuid: str, is_mac: bool) -> str:
    others = f"{', '.join(hosts[:-1])} and {hosts[-1]}"
    if is_mac:
        return (
            f"{others} are one Mac (hardware UUID {uuid}), which would get settings and keys of "
            f"{len(hosts)} hosts: leave one name in the inventory. When they are {len(hosts)} "
            "Macs, their ansible_host leads to the same one: correct it"
        )
    return (
        f"{others} are one machine (/etc/machine-id {uuid}), which would get settings and keys of "
        f"{len(hosts)} hosts: leave one name in the inventory. When they are {len(hosts)} machines "
        f"that were made from one image, give all but one an id of its own there: `sudo rm -f "
        "/etc/machine-id /var/lib/dbus/machine-id && sudo systemd-machine-id-setup`"
    )

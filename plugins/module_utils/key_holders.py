# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accounts of a closet hold its keys, and what to do when one of them serves no longer; pure.

The closet keeps the list itself, root's and without any key in it. A place is on it before a key is
written there, and leaves it after the keys were taken out, so that a run that is cut off at any
point is finished by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PATH = "/opt/closet/state/key-holders.json"
OMLX = "omlx"
GATEWAY = "gateway"
KINDS = (OMLX, GATEWAY)


@dataclass(frozen=True)
class Holder:
    """A folder in which the server (`kind`) of an account finds the keys.

    `replaced`: the keys in it open nothing any more, only the files are left.
    """

    account: str
    kind: str
    path: str
    replaced: bool = False

    def is_at(self, other: Holder) -> bool:
        """Whether both are one place of one account."""
        return (self.account, self.kind, self.path) == (other.account, other.kind, other.path)


@dataclass(frozen=True)
class Plan:
    """What is to be on the list before the new server is given keys, and at the end.

    `leaving` hold keys and serve no longer; `former` are the other accounts among them whose keys
    still open something. `shared` are leaving too, but the new server's files are in their place.
    """

    ahead: tuple[Holder, ...]
    stay: tuple[Holder, ...]
    leaving: tuple[Holder, ...]
    shared: tuple[Holder, ...]
    former: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For playbooks."""
        return {key: [*map(_plain, value)] for key, value in asdict(self).items()}


def read(text: str) -> tuple[Holder, ...]:
    """The list that a closet keeps; what cannot be read is an empty one."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    entries = found.get("holders") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        return ()
    holders = (_holder(entry) for entry in entries if isinstance(entry, dict))
    return tuple(holder for holder in holders if holder is not None)


def text(holders: Iterable[Mapping[str, Any]]) -> str:
    """The list as the closet keeps it."""
    return json.dumps({"version": 1, "holders": [*holders]}, indent=2, sort_keys=True) + "\n"


def former_accounts(holders: Iterable[Holder], account: str) -> list[str]:
    """Accounts other than the one that serves, which know keys that still open something."""
    found = (one.account for one in holders if one.account != account and not one.replaced)
    return list(dict.fromkeys(found))


def plan(
    found: Iterable[Holder], account: str, kinds: Sequence[str], paths: Mapping[str, str]
) -> Plan:
    """What becomes of the list when `account` serves with the server that `kinds` begins with.

    Args:
        found: the list as it is.
        account: who serves from now on.
        kinds: its server, `omlx` or `gateway`, then those that were tried before it.
        paths: the folder of each kind.
    """
    found = tuple(found)
    wanted = Holder(account, kinds[0], paths[kinds[0]])
    tried = [Holder(account, kind, paths[kind]) for kind in dict.fromkeys(kinds)]
    # omlx keeps its settings, keys included, while its account serves with another backend
    omlx = Holder(account, OMLX, paths[OMLX])
    stay = [one for one in found if one.is_at(omlx) and not wanted.is_at(omlx)]
    gone = [one for one in found if not one.is_at(wanted) and not one.is_at(omlx)]
    others = [one for one in found if not any(map(one.is_at, tried))]
    return Plan(
        ahead=found if set(tried) <= set(found) else (*others, *tried),
        stay=(*stay, wanted),
        leaving=tuple(one for one in gone if one.path != wanted.path),
        shared=tuple(one for one in gone if one.path == wanted.path),
        former=tuple(former_accounts(found, account)),
    )


def _holder(entry: Mapping[str, Any]) -> Holder | None:
    account, kind, path = (entry.get(key) for key in ("account", "kind", "path"))
    if not (isinstance(account, str) and account and kind in KINDS):
        return None
    if not (isinstance(path, str) and path.startswith("/")):
        return None
    return Holder(account, str(kind), path, entry.get("replaced") is True)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a variable of a host was set, as a person finds it: FILE:LINE, or -e.

ansible-core 2.19 tags what it reads with its origin: values and, in YAML, keys too. JSON has no
lines, so only the file is known there; its booleans and nulls have no tag at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.utils.vars import load_extra_vars

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # a later ansible-core may keep it elsewhere: then no place is known
    Origin = None

EXTRA = "-e"


class Origins:
    """What the owner has set for one host, and where: the inventory's variables and those of -e.

    `variables` are the host's, untemplated. What a play has registered by now is a variable too,
    and no owner's: its name comes from no file of the inventory.
    """

    def __init__(
        self, variables: Mapping[str, Any], folders: Collection[Path], extra: Collection[str]
    ) -> None:
        self._keys = {str(key): key for key in variables}
        self._variables = variables
        self._folders = [str(folder) for folder in folders]
        self._extra = set(extra)

    def names(self) -> list[str]:
        """The names that the owner has set, as far as their place is known."""
        return [name for name in self._keys if self.place(name)]

    def place(self, name: str) -> str:
        """Where the variable is set; '' where it is not known, or not the owner's."""
        given = name in self._extra
        for tagged in (self._variables[name], self._keys[name]):
            origin = Origin.get_tag(tagged) if Origin else None
            if origin and origin.path and (given or self._is_owners(origin.path)):
                return f"{origin.path}:{origin.line_num}" if origin.line_num else str(origin.path)
        return EXTRA if given else ""

    def _is_owners(self, path: str) -> bool:
        return any(path == folder or path.startswith(f"{folder}/") for folder in self._folders)


def extra_names(loader: Any) -> set[str]:
    """The names of the variables that were given with -e."""
    return set(load_extra_vars(loader))

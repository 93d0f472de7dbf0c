# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an owner may add to the job of a server: launchd keys and environment variables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import KEYS
from ansible_collections.closet.inference.plugins.module_utils.schema import members

# The rest of the collection relies on these; an owner sets options of the role instead.
OURS = (
    *("Label", "Program", "ProgramArguments", "UserName", "GroupName"),
    *("EnvironmentVariables", "StandardOutPath", "StandardErrorPath"),
)
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def plist_errors(name: str, value: Mapping[Any, Any]) -> Iterator[str]:
    """An error for each key of `<role>_plist` that launchd would ignore or that is ours."""
    yield from members(KEYS, "launchd would ignore it")(name, value)
    for key in OURS:
        if key in value:
            yield f"{name} has {key}, which the role sets: leave it out"


def environment_errors(name: str, value: Mapping[Any, Any]) -> Iterator[str]:
    """An error for each variable of `<role>_env` that cannot be one."""
    for variable, content in value.items():
        if not isinstance(variable, str) or not VARIABLE.fullmatch(variable):
            yield f"{name} has '{variable}', and a variable has letters, digits and _ only"
        elif isinstance(content, (Mapping, list, bool)) or content is None:
            yield f"{name}.{variable} must be text or a number; put it in quotes"
        elif re.search(r"[\x00-\x1f]", str(content)):
            yield f"{name}.{variable} must be one line"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages that work when pasted, for playbooks and roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils import this_run


def playbook_command(name: str, *words: object) -> str:
    """The command that runs one of our playbooks as this run was started; lists are words too."""
    return this_run.invocation().playbook(str(name), *_flat(words))


def ad_hoc_command(pattern: str, *words: object) -> str:
    """The command that runs one module on hosts, as this run was started."""
    return this_run.invocation().ad_hoc(str(pattern), *_flat(words))


def _flat(words: Iterable[object]) -> list[str]:
    return [
        str(word) for one in words for word in (one if isinstance(one, (list, tuple)) else [one])
    ]


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"playbook_command": playbook_command, "ad_hoc_command": ad_hoc_command}

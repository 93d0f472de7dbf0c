# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_firewall
short_description: Allow programs in the application firewall of macOS
version_added: "0.1.0"
description:
  - Adds entries that allow incoming connections to programs. The firewall identifies a program by
    its real path, so the module resolves links. It removes its own entries that are no longer
    listed, such as the interpreter of an older release.
  - Does not turn the firewall on or off, and does not change unmanaged entries. The exception is a
    listed program that was blocked. It is blocked again when it is no longer listed.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    description: Shows the entries of this module before and after.
options:
  programs:
    description: Paths of the programs to allow. An empty list removes all entries of this module.
    type: list
    elements: path
    required: true
  record:
    description: Record of the entries of this module. It is deleted when there are none.
    type: path
    default: /opt/closet/firewall/applications.json
notes:
  - A running program may need a restart before the entry takes effect.
"""

EXAMPLES = r"""
- name: Allow incoming connections to omlx
  closet.inference.application_firewall:
    programs: [/opt/closet/omlx/44bc7f6396d4/bin/python]
  become: true
"""

RETURN = r"""
allowed:
  description: Real paths of the allowed programs.
  returned: success
  type: list
  elements: str
steps:
  description: Steps that the task ran, or would run in check mode.
  returned: success
  type: list
  elements: str
enabled:
  description: Whether the firewall is on.
  returned: success
  type: bool
blocks_all:
  description: Whether the firewall blocks all programs, including allowed ones.
  returned: success
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.application_firewall import (
    FirewallError,
    execute,
)
from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    "programs": {"type": "list", "elements": "path", "required": True},
    "record": {"type": "path", "default": "/opt/closet/firewall/applications.json"},
}
BLOCKS_ALL = (
    "The application firewall blocks all incoming connections, those of allowed programs "
    "too: switch that off in System Settings > Network > Firewall > Options"
)


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The firewall as it is to be, and a warning when that opens nothing."""
    result = execute(options, Runner(), check_mode)
    if result["blocks_all"] and result["allowed"]:
        result["warnings"] = [BLOCKS_ALL]
    return result


MODULE = Module(OPTIONS, work, (FirewallError,))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_firewall
short_description: Let programs take connections through macOS's application firewall
version_added: "0.1.0"
description:
  - The application firewall judges the program that runs, by its real path. This module follows
    links to it, allows it, and takes away what it allowed before and is not wanted any more, such
    as the interpreter of an older installation.
  - It does not switch the firewall on or off, and leaves entries of others as they are. One of
    others that was blocked is blocked again when it is not wanted any more.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    description: Shows the entries that are ours before and after.
options:
  programs:
    description: Paths of the programs to allow, none to take back everything that is ours.
    type: list
    elements: path
    required: true
  record:
    description: The file that keeps which entries are ours. It is gone when none is.
    type: path
    default: /opt/closet/firewall/applications.json
notes:
  - A program that runs already may need a restart before it is let through.
"""

EXAMPLES = r"""
- name: Let omlx take connections
  closet.inference.application_firewall:
    programs: [/opt/closet/omlx/44bc7f6396d4/bin/python]
  become: true
"""

RETURN = r"""
allowed:
  description: The real paths of the wanted programs.
  returned: success
  type: list
  elements: str
steps:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
enabled:
  description: Whether the firewall is on.
  returned: success
  type: bool
blocks_all:
  description: Whether it blocks every program, those that are allowed too.
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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: power_settings
short_description: Manage settings of pmset by power source
version_added: "0.1.0"
description:
  - Compares the output of C(pmset -g custom) with the wanted settings and writes the differences in
    one C(pmset) call. Writes nothing if there are no differences.
  - Reports and skips power sources and settings that this Mac does not have, such as C(autorestart)
    on a laptop.
  - Reads the settings again after the change. A setting that macOS did not accept is an error.
  - Only changes need root.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
options:
  ac:
    description: &source
      - Settings for this power source, with the names of V(pmset(1\)). Times are in minutes, V(0)
        means never. V(true) and V(false) mean V(1) and V(0).
      - Since macOS 26.5 C(autorestart) and C(autorestartatconnect) are one setting, Start up when
        power is connected. V(0) and V(0) are Never, V(1) and V(0) After a Power Failure, V(0) and
        V(1) Always. C(autorestartatconnect=1) gives Always, whatever C(autorestart) says. A Mac
        with Always satisfies C(autorestart=1) alone.
      - The module accepts a setting that it does not know if the Mac has it, because a newer macOS
        may have added it.
      - V(lowpowermode) stands for C(powermode) on a Mac that has only C(powermode).
    type: dict
    default: {}
  battery:
    description: *source
    type: dict
    default: {}
  ups:
    description: *source
    type: dict
    default: {}
  sleep_disabled:
    description:
      - Whether to disable sleep completely, even for a laptop with a closed lid (C(disablesleep)).
        Unchanged by default.
    type: bool
"""

EXAMPLES = r"""
- name: Never sleep, come back after a power failure, wake by the network
  closet.inference.power_settings:
    ac: {sleep: 0, disksleep: 0, displaysleep: 10, womp: 1, autorestart: 1}
    ups: {sleep: 0}
  become: true
"""

RETURN = r"""
written:
  description: Settings that the task wrote, or would write in check mode, by source.
  returned: success
  type: dict
  sample: {"ac": {"sleep": "0", "autorestart": "1"}}
unsupported:
  description: Requested sources and settings that this Mac does not have.
  returned: success
  type: list
  elements: str
  sample: [battery, ac.autorestart]
sources:
  description: Power sources of this Mac.
  returned: success
  type: list
  elements: str
  sample: [ac]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.power.pmset import (
    PowerRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.power.run import (
    PowerError,
    execute,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    "ac": {"type": "dict", "default": {}},
    "battery": {"type": "dict", "default": {}},
    "ups": {"type": "dict", "default": {}},
    "sleep_disabled": {"type": "bool"},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The settings as they are to be."""
    result, warnings = execute(options, Runner(), check_mode)
    return {**result, "warnings": warnings}


MODULE = Module(OPTIONS, work, (PowerRefusedError, PowerError))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opencode_config_info
short_description: Say where a person's own configuration of opencode and the closet's meet
version_added: "0.1.0"
description:
  - Reads the files in which a person configures opencode and warns, one sentence per file, of what
    the closet's lock leaves without effect, of models that the closet does not serve, and of what
    wins over the inventory. Changes nothing.
  - Fails when the one file that is the closet's holds somebody else's settings, which a run would
    overwrite.
  - Keys of the files are named, values are not.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  host:
    description: Name of the laptop in the inventory, for the sentences.
    type: str
    required: true
  home:
    description: The person's home.
    type: path
    required: true
  models:
    description: Served names of the closet's chat models.
    type: list
    elements: str
    required: true
  permission:
    description: Permissions that the lock sets, as opencode takes them.
    type: dict
    default: {}
  agents:
    description: Agents to which the inventory gives a model.
    type: list
    elements: str
    default: []
  named_agents:
    description: Agents of the inventory. In them and in opencode's own the lock's permissions win.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Look at what the person has configured
  closet.inference.opencode_config_info:
    host: air
    home: /Users/admin
    models: [qwen3-coder-next, qwen3.6-35b]
    agents: [build, plan]
"""

RETURN = r"""
conflicts:
  description: The sentences, by file.
  returned: success
  type: dict
  sample:
    /Users/admin/.config/opencode/opencode.jsonc: >-
      air: /Users/admin/.config/opencode/opencode.jsonc is yours and was left alone: share has no
      effect, since the closet's lock wins.
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)
from ansible_collections.closet.inference.plugins.module_utils.opencode.conflicts import Closet
from ansible_collections.closet.inference.plugins.module_utils.opencode.files import (
    NotOursError,
    conflicts,
)
from ansible_collections.closet.inference.plugins.module_utils.opencode.permissions import (
    agents_held,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError

NAMES = {"type": "list", "elements": "str"}
OPTIONS = {
    "host": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "models": {**NAMES, "required": True},
    "permission": {"type": "dict", "default": {}},
    "agents": {**NAMES, "default": []},
    "named_agents": {**NAMES, "default": []},
}


def work(options: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Where the person's own configuration contradicts the closet's; a warning for each place."""
    host, home = options["host"], options["home"]
    closet = Closet(
        models=tuple(options["models"]),
        permission=options["permission"],
        agents=tuple(options["agents"]),
        held=agents_held(dict.fromkeys(options["named_agents"])),
    )
    try:
        with account_processes() as processes:
            rights = processes.for_path(f"{home}/.config")
            found = rights.call(conflicts, home, closet)
    except UntrustedPathError as error:
        raise ModuleError(f"{host}: {home}: {error.strerror}") from error
    except (NotOursError, ActingError) as error:
        raise ModuleError(f"{host}: {error}") from error
    sentences = {path: f"{host}: {sentence}" for path, sentence in found.items()}
    return {"changed": False, "conflicts": sentences, "warnings": [*sentences.values()]}


MODULE = Module(OPTIONS, work)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

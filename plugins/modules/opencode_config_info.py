# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opencode_config_info
short_description: Find conflicts between a person's opencode configuration and the closet's
version_added: "0.1.0"
description:
  - Reads the files in which a person configures opencode, and gives one warning per file. It names
    settings without effect because of the closet's lock, models that the closet does not serve, and
    settings that take precedence over the inventory. Changes nothing.
  - Fails if the closet's own file has settings that the collection did not write, because a run
    would overwrite them.
  - The warnings name keys, but not their values.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  host:
    description: Name of the laptop in the inventory, for the warnings.
    type: str
    required: true
  home:
    description: Home of the person.
    type: path
    required: true
  models:
    description: Served names of the closet's chat models.
    type: list
    elements: str
    required: true
  permission:
    description: Permissions of the lock, in opencode's format.
    type: dict
    default: {}
  agents:
    description: Agents with a model in the inventory.
    type: list
    elements: str
    default: []
  named_agents:
    description: Agents of the inventory. The permissions of the lock apply to these agents and to
      the built-in ones.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the person's configuration of opencode
  closet.inference.opencode_config_info:
    host: air
    home: /Users/admin
    models: [qwen3-coder-next, qwen3.6-35b]
    agents: [build, plan]
"""

RETURN = r"""
conflicts:
  description: Warnings by file.
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
    """Conflicts between the person's configuration and the closet's, with one warning per file."""
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

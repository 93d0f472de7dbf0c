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
attributes:
  check_mode:
    support: full
    description: It only looks.
  diff_mode:
    support: none
    description: It changes nothing.
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.closet.inference.plugins.module_utils.acting import ActingError, crew
from ansible_collections.closet.inference.plugins.module_utils.opencode.conflicts import Closet
from ansible_collections.closet.inference.plugins.module_utils.opencode.files import (
    NotOursError,
    conflicts,
)
from ansible_collections.closet.inference.plugins.module_utils.opencode.permissions import (
    agents_held,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError


def main() -> None:
    """Entry point."""
    names = {"type": "list", "elements": "str"}
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "home": {"type": "path", "required": True},
            "models": {**names, "required": True},
            "permission": {"type": "dict", "default": {}},
            "agents": {**names, "default": []},
            "named_agents": {**names, "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    closet = Closet(
        models=tuple(given["models"]),
        permission=given["permission"],
        agents=tuple(given["agents"]),
        held=agents_held(dict.fromkeys(given["named_agents"])),
    )
    home = given["home"]
    try:
        with crew() as hands:
            rights = hands.for_path(f"{home}/.config")
            found = rights.call(conflicts, home, closet)
    except UntrustedPathError as error:
        module.fail_json(msg=f"{given['host']}: {home}: {error.strerror}")
    except (NotOursError, ActingError) as error:
        module.fail_json(msg=f"{given['host']}: {error}")
    told = {path: f"{given['host']}: {sentence}" for path, sentence in found.items()}
    for sentence in told.values():
        module.warn(sentence)
    module.exit_json(changed=False, conflicts=told)


if __name__ == "__main__":
    main()

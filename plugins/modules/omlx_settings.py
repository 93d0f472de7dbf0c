# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_settings
short_description: Manage keys of omlx's settings.json and model_settings.json
version_added: "0.1.0"
description:
  - Merges the given keys into the two files, which omlx also writes itself. All other keys,
    sections and models stay as they are.
  - Only the owner can read the files. Each file is written in one step, so a power cut leaves the
    old file or the new one.
  - omlx ignores and then drops unknown keys, including keys of older versions. If it cannot read
    the file, it starts with its defaults, without an API key. Therefore this module checks names
    and values, and replaces an unreadable file after it has saved it as C(<name>.broken-<n>).
  - A running omlx does not read these files again, and its next save overwrites them. Restart omlx
    when RV(digest) changes, for example with O(closet.inference.launchd_job#module:restart_on), and
    when RV(restart_needed) is true.
  - API keys and the settings of models need no restart. The module sends the differences to the
    admin pages of an omlx that runs on this host, and omlx writes its files itself.
  - Afterwards the module checks each new and each revoked key with a request. It loads models that
    are newly pinned.
  - If the running server does not list the models of O(models), it gets their settings from the
    file at its next start. RV(restart_needed) is true if its folders have these models, or more
    files of a model than at its start.
  - A server without a main key accepts no changes while it runs. RV(digest) then includes
    O(models).
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: This includes the running server.
  diff_mode:
    description: Shows both files before and after, without keys and proxy addresses, and the model
      settings that are sent to the running server.
options:
  base_path:
    description:
      - Absolute path of omlx's folder. It is created with mode V(0700) if its parent exists.
    type: str
    required: true
  settings:
    description:
      - Sections of V(settings.json), each a dictionary of the keys to manage. V(null) removes a
        key, so that omlx uses its default.
      - A server on a non-loopback address requires an API key, in O(api_key) or already in the
        file, and the consent that C(playbooks/expose.yml) records on the host.
    type: dict
    default: {}
  models:
    description:
      - Entries of V(model_settings.json), each a dictionary of the keys to manage, by model id. The
        id is the name of the model's folder.
      - V(null) removes a key. Only one model can be the default, so a new default replaces the old
        one.
    type: dict
    default: {}
  api_key:
    description:
      - Main API key, which also opens the admin pages. By default the key in the file stays. An
        empty key removes it.
    type: str
  client_keys:
    description:
      - Client keys (sub keys of omlx), which open C(/v1) but not the admin pages. Keys of earlier
        runs that are not listed are revoked. Keys that were created in omlx's admin pages stay.
      - By default no client key changes.
    type: list
    elements: dict
    suboptions:
      name:
        description: Owner of the key. The admin pages show it with the prefix C(closet:).
        type: str
        required: true
      key:
        description: The key.
        type: str
        required: true
  program:
    description:
      - Environment in which omlx is installed. Its C(answer.json) has the list of the known keys,
        see O(closet.inference.python_environment#module:ask).
      - Without this list, the module uses a table for the omlx version that this collection pins.
    type: str
  consent_command:
    description:
      - Command on the controller that records the consent, for the message about a missing
        consent.
    type: str
  unchecked:
    description: Whether to write sections and keys that this omlx does not know. Known keys are
      checked in any case.
    type: bool
    default: false
  owner:
    description: Owner of the folder and the files, as a user name or number.
    type: str
  group:
    description: Group of the folder and the files, as a group name or number.
    type: str
"""

EXAMPLES = r"""
- name: Manage omlx's settings
  closet.inference.omlx_settings:
    base_path: /Users/admin/.omlx
    owner: admin
    group: staff
    api_key: "{{ closet_api_key }}"
    settings:
      server:
        host: 10.77.31.10
        port: 8000
      memory:
        memory_guard_tier: custom
        memory_guard_custom_ceiling_gb: 96
      idle_timeout:
        idle_timeout_seconds: null
    models:
      qwen3-coder:
        is_pinned: true
        is_default: true
  become: true
  register: closet_settings
"""

RETURN = r"""
changed_keys:
  description: Names of the changed keys, without their values.
  returned: success
  type: list
  elements: str
  sample: [server.port, auth.api_key, models.qwen3-coder.is_pinned]
digest:
  description: Digest of the wanted values that omlx reads only at its start. Settings that a
    running server accepts are not part of it.
  returned: success
  type: str
  sample: 9b0c2c1c3d2f5e3f0f4f1c6f1b1d0a7f7f1e2d3c4b5a69788796a5b4c3d2e1f0
restart_needed:
  description: Whether the running omlx needs a restart. Reasons are that it accepts no known main
    key, that its main key has to be removed, or that its list of models differs from its folders.
  returned: success
  type: bool
outdated:
  description: Differences between the server's list of models and its folders.
  returned: success
  type: list
  elements: str
  sample: [qwen3-coder came after it was started]
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.found import (
    SettingsNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.keys import (
    KeysUnusableError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.live import (
    NotToldError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    SettingsRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.run import execute

OPTIONS = {
    "base_path": {"type": "str", "required": True},
    "settings": {"type": "dict", "default": {}},
    "models": {"type": "dict", "default": {}},
    "api_key": {"type": "str", "no_log": True},
    "client_keys": {
        "type": "list",
        "elements": "dict",
        "no_log": False,  # its names may be seen
        "options": {
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "program": {"type": "str"},
    "consent_command": {"type": "str"},
    "unchecked": {"type": "bool", "default": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the files and the running server to the wanted settings."""
    result, warnings = execute(options, check_mode)
    return {**result, "warnings": warnings}


MODULE = Module(
    OPTIONS, work, (KeysUnusableError, NotToldError, SettingsNotWrittenError, SettingsRefusedError)
)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_settings
short_description: Own some keys of omlx's settings.json and model_settings.json
version_added: "0.1.0"
description:
  - Merges the given keys into the two files that omlx keeps itself. Every other key, section
    and model stays as it is.
  - Both files are readable by their owner only and are written in one step, so that a power cut
    leaves the old or the new one.
  - omlx ignores and then drops keys it does not know, also those that an older one knew, and starts
    on its defaults (without an API key) when it cannot read the file. So names and values are
    checked here, and an unreadable file is kept aside as C(<name>.broken-<n>) and replaced.
  - A running omlx does not read these files again, and its next save overwrites them. Restart
    it when RV(digest) changes, for instance by giving that to
    O(closet.inference.launchd_job#module:restart_on), and when RV(restart_needed) says so.
  - Keys and the settings of models are another matter. An omlx that runs on this host is told them
    over its admin pages, which needs no restart, and writes them down itself.
  - It is asked with each new and each old key whether it does as told. A model that is newly pinned
    is loaded. Only what differs is sent.
  - A server of other models than O(models) is not told their settings; it reads the file when it is
    started. When its folders hold these models, or more of one than it counted at its start, it is
    one to restart, RV(restart_needed).
  - A server without a main key takes nothing live, so that RV(digest) is about O(models) too.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: In the files and in the running server.
  diff_mode:
    description: Shows both files before and after, without keys and proxy addresses, and the
      settings of models that the running server is told.
options:
  base_path:
    description:
      - The folder omlx works in, as an absolute path. It is made, with mode V(0700), when its
        parent is there.
    type: str
    required: true
  settings:
    description:
      - Sections of V(settings.json), each a dictionary of the keys to own. V(null) takes a key
        out, so that omlx uses its default.
      - A server that others can reach needs an API key, given here or already in the file, and the
        consent that C(playbooks/expose.yml) records on the host.
    type: dict
    default: {}
  models:
    description:
      - Entries of V(model_settings.json), from model id to the keys to own. The id is the name
        of the model's folder.
      - V(null) takes a key out. Making one model the default takes that from any other.
    type: dict
    default: {}
  api_key:
    description:
      - The main API key, which opens the admin pages too. Without it the one in the file stays, an
        empty one takes it out.
    type: str
  client_keys:
    description:
      - The keys that open C(/v1) and not the admin pages, omlx's sub keys. Those that an earlier
        run made and that are not listed are taken away; those that somebody made in omlx's own
        pages stay.
      - Without it nothing is changed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Whose key it is. Omlx shows it with C(closet:) in front.
        type: str
        required: true
      key:
        description: The key.
        type: str
        required: true
  program:
    description:
      - The environment that omlx is installed in. What it said when it was built, its
        C(answer.json), tells which keys there are, see
        O(closet.inference.python_environment#module:ask).
      - Without it, or for one that was not asked then, a table counts, which is about the omlx that
        this collection pins.
    type: str
  consent_command:
    description:
      - The command on the controller that records the consent, for the message when it is missing.
    type: str
  unchecked:
    description: Also write sections and keys that this omlx does not have. Known ones are
      checked all the same.
    type: bool
    default: false
  owner:
    description: User name or number the folder and the files shall belong to.
    type: str
  group:
    description: Group name or number the folder and the files shall belong to.
    type: str
"""

EXAMPLES = r"""
- name: Own omlx's settings
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
  description: Names of the keys that changed, never their values.
  returned: success
  type: list
  elements: str
  sample: [server.port, auth.api_key, models.qwen3-coder.is_pinned]
digest:
  description: Changes when, and only when, a wanted value changes that omlx reads at its start.
    What a running server is told is not in it.
  returned: success
  type: str
  sample: 9b0c2c1c3d2f5e3f0f4f1c6f1b1d0a7f7f1e2d3c4b5a69788796a5b4c3d2e1f0
restart_needed:
  description: An omlx runs that takes none of our main keys, or shall have none, or lists other
    models than its folders hold, so only a restart brings it what is wanted.
  returned: success
  type: bool
outdated:
  description: In what its list of models differs from its folders.
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
    """The settings as they are to be, in the files and in the running server."""
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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_live
short_description: Tell a running omlx what changed in the settings of its models
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - A running omlx does not read C(model_settings.json) again. Pins, sampling, context limits and
    the time that a model stays loaded are taken live, over its admin pages on loopback, and omlx
    writes them into the file itself.
  - Only what differs is sent. A model that is newly pinned is loaded.
  - A server that is not running, or that serves other models than these, is told nothing; it reads
    the files that M(closet.inference.omlx_settings) writes when it is started.
options:
  port:
    description: Port of the server on this host.
    type: int
    required: true
  api_key:
    description: The main key. A server without one takes nothing live.
    type: str
    default: ""
  models:
    description: Settings by model id, as for O(closet.inference.omlx_settings#module:models).
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Says exactly what a real run would tell.
  diff_mode:
    support: full
    description: Shows each key before and after.
"""

EXAMPLES = r"""
- name: Tell the running omlx
  closet.inference.omlx_live:
    port: 8000
    api_key: "{{ closet_key }}"
    models:
      qwen3-coder-next: {is_pinned: true, temperature: 0.7}
"""

RETURN = r"""
running:
  description: Whether something answered on the port; none without a key, when nobody is asked.
  returned: success
  type: bool
told:
  description: Whether the server let us in, so that it has what is wanted now.
  returned: success
  type: bool
changed_keys:
  description: What was told, as C(model.key).
  returned: success
  type: list
  elements: str
  sample: [qwen3-coder-next.temperature]
ignored:
  description: What this omlx did not take, as C(model.key).
  returned: success
  type: list
  elements: str
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.closet.inference.plugins.module_utils.omlx_live.run import (
    NotToldError,
    Server,
    execute,
)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "api_key": {"type": "str", "default": "", "no_log": True},
            "models": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = execute(
            Server(params["port"]), params["models"], params["api_key"], module.check_mode
        )
    except NotToldError as error:
        module.fail_json(
            msg=f"{error}. Nothing was restarted; look at omlx's log and run again, which tells it "
            "the rest"
        )
    for key in result["ignored"]:
        module.warn(f"this omlx did not take {key}; it goes on without")
    changes = result.pop("changes", [])
    if module._diff and changes:
        result["diff"] = [
            {
                "before": json.dumps(change.before, indent=2, sort_keys=True) + "\n",
                "after": json.dumps(change.keys, indent=2, sort_keys=True) + "\n",
                "before_header": f"the running omlx, {change.model}",
                "after_header": f"the running omlx, {change.model}",
            }
            for change in changes
        ]
    module.exit_json(**result)


if __name__ == "__main__":
    main()

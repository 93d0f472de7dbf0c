# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: held_keys
short_description: Take the keys of a closet out of the folder of a server that serves no longer
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Of omlx, the keys and the secret of its admin sessions go out of C(settings.json), which is
    bound to loopback, and our own files and the copies of settings go. Of the gateway, its
    configuration and the socket of its administration go, and the folder when it is empty then.
  - Everything else in the folder stays, models and settings of other things included.
  - Run it with the rights of the account whose folder it is. It is not for root, since the account
    may have put links and pipes there.
  - What could not be removed is a result, not an error; the account may keep a copy anyway, so that
    only another key takes its access.
options:
  kind:
    description: Whose folder it is.
    type: str
    choices: [omlx, gateway]
    required: true
  path:
    description: The folder.
    type: path
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    support: none
    description: Shows names, since what is in the files is secret.
"""

EXAMPLES = r"""
- name: Take the keys from the account that served before
  closet.inference.held_keys:
    kind: omlx
    path: /Users/old/.omlx
  become: true
  become_user: old
"""

RETURN = r"""
removed:
  description: What was removed, by name in the folder.
  returned: success
  type: list
  elements: str
  sample: [the keys in settings.json, mcp.json]
left:
  description: What could not be removed, with the reason.
  returned: success
  type: list
  elements: str
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import held_keys, key_holders
from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)

OPTIONS = {
    "kind": {"type": "str", "choices": list(key_holders.KINDS), "required": True},
    "path": {"type": "path", "required": True},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Remove the keys, as the account whose folder it is."""
    folder = str(options["path"])
    if os.geteuid() == 0:
        raise ModuleError(
            f"{folder} belongs to an account that may have put links there, and this runs as "
            "root: set become_user to the account"
        )
    done = held_keys.run(str(options["kind"]), Path(folder), check_mode)
    return {"changed": bool(done.removed), "removed": [*done.removed], "left": [*done.left]}


MODULE = Module(OPTIONS, work)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

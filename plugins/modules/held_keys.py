# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: held_keys
short_description: Remove API keys from the folder of a server that is no longer used
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - For omlx, removes the API keys and the secret of the admin sessions from C(settings.json), binds
    it to loopback, and deletes the collection's own files and the copies of settings.
  - For the gateway, deletes its configuration and its admin socket, and the folder if it is then
    empty.
  - Everything else in the folder stays, including models and other settings.
  - Run it as the owner of the folder, not as root, because the owner may have put links and pipes
    there.
  - A file that cannot be removed is a result, not an error. The owner may have a copy of the keys
    in any case, so only new keys end the access.
options:
  kind:
    description: Server that used the folder.
    type: str
    choices: [omlx, gateway]
    required: true
  path:
    description: Folder of the server.
    type: path
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    support: none
    description: Shows no diff, because the files have secrets. RV(removed) has the names.
"""

EXAMPLES = r"""
- name: Remove the keys from the home of the previous service account
  closet.inference.held_keys:
    kind: omlx
    path: /Users/old/.omlx
  become: true
  become_user: old
"""

RETURN = r"""
removed:
  description: Names of the removed parts of the folder.
  returned: success
  type: list
  elements: str
  sample: [the keys in settings.json, mcp.json]
left:
  description: Parts that could not be removed, with the reasons.
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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_model_info
short_description: List the models that a host stores and serves
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads the store of M(closet.inference.omlx_model) and the links in the folder that omlx serves.
    Uses no network and changes nothing.
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  store:
    description: Folder of the models, as C(owner/name) below it.
    type: path
    required: true
  serve_dir:
    description: Folder that omlx serves. Without it, no served names are returned.
    type: path
  verify:
    description:
      - How thoroughly to compare each model with its manifest.
      - V(manifest) checks that each file exists, V(size) also compares sizes, V(sha256) reads and
        hashes all files.
    type: str
    choices: [manifest, size, sha256]
    default: size
  hub_cache:
    description:
      - Hub cache of other tools. RV(leftovers) counts the unfinished downloads in it.
    type: path
seealso:
  - module: closet.inference.omlx_model
"""

EXAMPLES = r"""
- name: List the models of a host
  closet.inference.omlx_model_info:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
  register: host_models

- name: Verify every byte of the store
  closet.inference.omlx_model_info:
    store: /Users/admin/.omlx/store
    verify: sha256
"""

RETURN = r"""
models:
  description: One entry per model folder of the store, sorted by repository.
  returned: success
  type: list
  elements: dict
  contains:
    repo:
      description: The repository.
      type: str
    names:
      description: Served names of the model.
      type: list
      elements: str
    revision:
      description: Commit in the manifest. Null without a manifest.
      type: str
    requested:
      description: Revision that the download requested. Null without a manifest.
      type: str
    path:
      description: Folder of the model.
      type: str
    bytes:
      description: Size according to the manifest. Null without a manifest.
      type: int
    complete:
      description: Whether the model has a manifest and all its files passed the check.
      type: bool
    broken:
      description: Files of the manifest that are missing or failed the check.
      type: list
      elements: str
    disk_bytes:
      description: Disk space of the folder.
      type: int
    unfinished_bytes:
      description: Disk space of unfinished downloads.
      type: int
    unfinished_files:
      description: Number of files of unfinished downloads.
      type: int
  sample:
    - repo: mlx-community/Qwen3-0.6B-4bit
      names: [qwen3-0.6b]
      revision: 73e3e38d981303bc594367cd910ea6eb48349da8
      requested: main
      path: /Users/admin/.omlx/store/mlx-community/Qwen3-0.6B-4bit
      bytes: 351403648
      complete: true
      broken: []
      disk_bytes: 351412224
      unfinished_bytes: 0
      unfinished_files: 0
names:
  description: Repository of each served name.
  returned: success
  type: dict
  sample: {qwen3-0.6b: mlx-community/Qwen3-0.6B-4bit}
bytes:
  description: Disk space of all models.
  returned: success
  type: int
  sample: 351412224
leftovers:
  description: Unfinished downloads in O(hub_cache) that have not changed for an hour.
  returned: success
  type: dict
  sample: {count: 0, bytes: 0}
running:
  description: Progress of a pull that runs now. Null if no pull runs.
  returned: success
  type: dict
  contains:
    sentence:
      description: Progress as a sentence. Empty while the pull is being planned.
      type: str
    record:
      description: Progress record of the pull, by model.
      type: dict
  sample: null
foreign:
  description: Entries of O(serve_dir) that are not links into the store.
  returned: success
  type: list
  elements: str
  sample: []
free_bytes:
  description: Free bytes on the disk of the store.
  returned: success
  type: int
  sample: 512000000000
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.report import survey

OPTIONS = {
    "store": {"type": "path", "required": True},
    "serve_dir": {"type": "path"},
    "verify": {"type": "str", "choices": ["manifest", "size", "sha256"], "default": "size"},
    "hub_cache": {"type": "path"},
}


def work(options: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The content of the store."""
    serve_dir, hub_cache = options["serve_dir"], options["hub_cache"]
    try:
        held = survey(
            Path(options["store"]).absolute(),
            Path(serve_dir).absolute() if serve_dir else None,
            options["verify"],
            Path(hub_cache).absolute() if hub_cache else None,
            time.time(),
        )
    except OSError as error:
        raise ModuleError(f"the store could not be read: {error}.") from error
    return {"changed": False, **held}


MODULE = Module(OPTIONS, work, (ModelError,))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_model_info
short_description: Tell which models a host holds and serves
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads the store that M(closet.inference.omlx_model) keeps and the links that omlx serves from.
    Never uses the network and changes nothing.
extends_documentation_fragment:
  - closet.inference.attributes.info
options:
  store:
    description: The folder that holds the models, as C(owner/name) below it.
    type: path
    required: true
  serve_dir:
    description: The folder that omlx serves from. Without it, no served names are told.
    type: path
  verify:
    description:
      - How far each model is held against its manifest.
      - V(manifest) asks that each file is there, V(size) also compares sizes, V(sha256) reads and
        hashes everything.
    type: str
    choices: [manifest, size, sha256]
    default: size
  hub_cache:
    description:
      - The folder in which other tools keep a cache of the hub; unfinished downloads in it are
        counted in RV(leftovers).
    type: path
seealso:
  - module: closet.inference.omlx_model
"""

EXAMPLES = r"""
- name: Read what is here
  closet.inference.omlx_model_info:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
  register: held

- name: Prove every byte of it
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
      description: Served names that lead to it.
      type: list
      elements: str
    revision:
      description: The commit in the manifest; null without a manifest.
      type: str
    requested:
      description: The revision that was asked for when it was fetched; null without a manifest.
      type: str
    path:
      description: The model's folder.
      type: str
    bytes:
      description: Size by the manifest; null without one.
      type: int
    complete:
      description: Whether there is a manifest and every file of it passed.
      type: bool
    broken:
      description: Files of the manifest that are missing or did not pass.
      type: list
      elements: str
    disk_bytes:
      description: What the folder takes on the disk.
      type: int
    unfinished_bytes:
      description: What unfinished downloads take on the disk.
      type: int
    unfinished_files:
      description: How many files that is.
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
  description: The repository of every served name of ours.
  returned: success
  type: dict
  sample: {qwen3-0.6b: mlx-community/Qwen3-0.6B-4bit}
bytes:
  description: What all models take on the disk.
  returned: success
  type: int
  sample: 351412224
leftovers:
  description: Unfinished downloads in O(hub_cache) that nobody wrote to for an hour.
  returned: success
  type: dict
  sample: {count: 0, bytes: 0}
running:
  description: How far a pull is that runs at this moment; null when none does.
  returned: success
  type: dict
  contains:
    sentence:
      description: In words; empty while it is still planning.
      type: str
    record:
      description: What the pull tells of itself, by model.
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
    """What the store holds."""
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

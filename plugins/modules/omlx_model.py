# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_model
short_description: Keep the models of a host present, verified and served by name
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Brings all models of a host in one run. Each is fetched from a model hub (Hugging Face, a
    mirror, or a cache on the LAN) at a commit, verified by
    the hashes the hub lists, recorded in a manifest beside its files, and linked into the folder
    that omlx serves from under the name given.
  - A download that was cut off anywhere goes on from the byte it had reached. Files take their
    names only when the whole model is here and proven.
  - A model that is complete costs no network and no hashing.
  - Before the first byte, every model is looked up, and what is still to come is compared with
    the free space of the disk.
  - Links and files of ours that nobody lists any more are cleaned up as far as links, superseded
    files and unfinished downloads go. Whole models are never removed.
requirements:
  - httpx, in the Python that runs the module, as soon as a file has to be fetched. Check mode,
    and runs that fetch nothing, need only the standard library.
attributes:
  check_mode:
    support: full
    description:
      - Reports what would be fetched, with sizes when the hub can be reached, and changes
        nothing.
  diff_mode:
    support: full
    description: Shows the served names with repository and commit, before and after.
options:
  models:
    description:
      - Every model that O(serve_dir) shall offer. A host keeps one revision of a repository,
        under one name.
    type: list
    elements: dict
    required: true
    suboptions:
      repo:
        description: The repository on the hub, C(owner/name).
        type: str
        required: true
      revision:
        description:
          - A commit (40 hexadecimal digits), a branch or a tag.
          - A branch or tag is looked up once, and the commit found is kept until O(follow=true)
            or another revision is asked for.
        type: str
        default: main
      name:
        description: The served name; omlx lists it as the model's id.
        type: str
        required: true
  store:
    description:
      - The folder that holds the models, as C(owner/name) below it. Created when missing.
    type: path
    required: true
  serve_dir:
    description:
      - The folder that omlx serves from. Holds one symbolic link per listed model.
      - Links into O(store) that are not listed are removed. Real folders, and links to elsewhere,
        are left alone and reported.
    type: path
    required: true
  endpoint:
    description: The hub's address.
    type: str
    default: https://huggingface.co
  token:
    description:
      - Access token for gated and private repositories. It is sent to O(endpoint) only.
      - Leave it out for public repositories, since a hub refuses even those when the token is
        bad.
    type: str
  reserve_gb:
    description: Gigabytes (1000^3 bytes) of the disk that stay free.
    type: float
    default: 10
  verify:
    description:
      - How far a model that is here is checked again.
      - V(manifest) asks that each file of the manifest is there, V(size) also compares sizes,
        V(sha256) reads and hashes everything.
      - A file that fails is fetched again, alone.
    type: str
    choices: [manifest, size, sha256]
    default: size
  follow:
    description: Whether a branch or tag that moved on the hub is a reason to fetch again.
    type: bool
    default: false
  progress_path:
    description:
      - A JSON file that is rewritten about once a second while files are fetched. None is written
        without this.
    type: path
  max_connections:
    description: How many requests may run at once. Large files are fetched in several ranges.
    type: int
    default: 4
seealso:
  - module: closet.inference.omlx_model_info
"""

EXAMPLES = r"""
- name: Keep two models, one pinned to a commit
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    models:
      - repo: mlx-community/Qwen3-0.6B-4bit
        revision: 73e3e38d981303bc594367cd910ea6eb48349da8
        name: qwen3-0.6b
      - repo: mlx-community/Qwen3-4B-4bit
        name: qwen3-4b
  vars:
    ansible_python_interpreter: /opt/closet/omlx/current/bin/python

- name: Take them from a cache on the LAN, and read everything that is here once more
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    endpoint: http://hub.local:8088
    verify: sha256
    models: "{{ models }}"
"""

RETURN = r"""
models:
  description: One entry per listed model, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The served name.
      type: str
    repo:
      description: The repository.
      type: str
    revision:
      description:
        - The commit; in check mode the requested revision when the hub could not be asked.
      type: str
    requested:
      description: The revision asked for.
      type: str
    path:
      description: The model's folder in the store.
      type: str
    bytes:
      description: Size of the model's files; null when unknown (check mode only).
      type: int
    fetched_bytes:
      description: Bytes that came over the network in this run.
      type: int
    state:
      description: One of V(present), V(pulled), V(repaired), V(would_pull).
      type: str
  sample:
    - name: qwen3-0.6b
      repo: mlx-community/Qwen3-0.6B-4bit
      revision: 73e3e38d981303bc594367cd910ea6eb48349da8
      requested: main
      path: /Users/admin/.omlx/store/mlx-community/Qwen3-0.6B-4bit
      bytes: 351403648
      fetched_bytes: 0
      state: present
digest:
  description:
    - A sha256 over the sorted names, repositories and commits; differs as soon as any served
      model does. Meant for C(restart_on).
  returned: success
  type: str
  sample: 3f0e6cf1a3b8f0f7c8f2c1c6a5cf1b7e0f6ad1a6bd7c2f3f74e9a6de0b5f0c11
missing_bytes:
  description:
    - Bytes that were still to be fetched when the run began; null when unknown (check mode only).
  returned: success
  type: int
  sample: 0
free_bytes:
  description: Free bytes on the disk of the store when the run began.
  returned: success
  type: int
  sample: 512000000000
leftovers:
  description: Unfinished downloads that nothing would have continued; they are removed.
  returned: success
  type: dict
  contains:
    count:
      description: How many files.
      type: int
    bytes:
      description: What they took on the disk.
      type: int
  sample: {count: 1, bytes: 62918656}
links:
  description: Served names that were linked or removed in this run (in check mode, would be).
  returned: success
  type: dict
  contains:
    made:
      description: Names that now lead to their model.
      type: list
      elements: str
    removed:
      description: Names of ours that nobody lists.
      type: list
      elements: str
    foreign:
      description: Entries of the folder that are not ours and were left alone.
      type: list
      elements: str
  sample: {made: [qwen3-0.6b], removed: [], foreign: []}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.closet.inference.plugins.module_utils.models.converge import (
    Request,
    converge,
)
from ansible_collections.closet.inference.plugins.module_utils.models.plan import GB
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    read_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import describe
from ansible_collections.closet.inference.plugins.module_utils.models.tools import make_tools

ARGUMENTS: dict[str, Any] = {
    "models": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "repo": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "name": {"type": "str", "required": True},
        },
    },
    "store": {"type": "path", "required": True},
    "serve_dir": {"type": "path", "required": True},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    "token": {"type": "str", "no_log": True},
    "reserve_gb": {"type": "float", "default": 10},
    "verify": {"type": "str", "choices": ["manifest", "size", "sha256"], "default": "size"},
    "follow": {"type": "bool", "default": False},
    "progress_path": {"type": "path"},
    "max_connections": {"type": "int", "default": 4},
}


def read_request(params: dict[str, Any], check_mode: bool) -> Request:
    if not 1 <= params["max_connections"] <= 32:
        raise ModelError(f"max_connections is {params['max_connections']}; it must be 1 to 32.")
    if params["reserve_gb"] < 0:
        raise ModelError(f"reserve_gb is {params['reserve_gb']}; it cannot be negative.")
    store, serve_dir = Path(params["store"]).absolute(), Path(params["serve_dir"]).absolute()
    if store in (serve_dir, *serve_dir.parents) or serve_dir in store.parents:
        raise ModelError(f"store {store} and serve_dir {serve_dir} must not lie in each other.")
    return Request(
        wants=read_wants(params["models"]),
        store=store,
        serve_dir=serve_dir,
        reserve=int(params["reserve_gb"] * GB),
        verify=params["verify"],
        follow=params["follow"],
        check_mode=check_mode,
        connections=params["max_connections"],
        progress_path=Path(params["progress_path"]) if params["progress_path"] else None,
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        request = read_request(module.params, module.check_mode)
        tools = make_tools(
            module.params["endpoint"],
            module.params["token"],
            request.connections,
            module.check_mode,
        )
        outcome = converge(request, tools)
    except ModelError as error:
        module.fail_json(msg=str(error))
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**describe(request, outcome))


if __name__ == "__main__":
    main()

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
    files and unfinished downloads go, those of other tools included. Whole models are removed with
    O(state=absent) or O(exclusive=true) only, and only when O(confirmed=true).
  - While it fetches, a running playbook shows how far each host is. That is the work of the action
    plugin of this name; it runs the module a second time, in the background of the host, as soon
    as something has to be fetched. The pull goes on there when the connection is lost.
requirements:
  - httpx, in the Python that runs the module, as soon as a file has to be fetched. Check mode,
    and runs that fetch nothing, need only the standard library.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: Sizes are reported when the hub can be reached.
  diff_mode:
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
        description:
          - The served name; omlx lists it as the model's id. Without it, the part of the repository
            after the slash.
        type: str
  state:
    description:
      - V(present) brings the models, V(absent) removes those listed with their names, and touches
        no other.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Whether every model of O(store) that is not listed goes.
    type: bool
    default: false
  confirmed:
    description:
      - Removals happen only with this; without it they are listed in RV(removal) and nothing is
        removed.
      - Even then nothing is removed when the server has one of the models loaded, or when nobody
        knows whether it has. What a link of somebody else leads to stays.
    type: bool
    default: false
  confirm_command:
    description: The command that confirms a removal, for the message that lists what would go.
    type: str
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
    description: The hub's address, or that of a mirror.
    type: str
    default: https://huggingface.co
  token:
    description:
      - Access token for gated and private repositories. It is sent to O(endpoint) only.
      - Leave it out for public repositories, since a hub refuses even those when the token is
        bad.
    type: str
  proxy:
    description:
      - Address of the proxy for the hub, with its scheme.
      - Without it, the environment's is used (C(HTTPS_PROXY) and so on).
    type: str
  ca_certificates:
    description:
      - Certificates (PEM) of authorities that are trusted besides the public ones, for a company
        that inspects TLS. Not for O(peers).
    type: str
  peers:
    description:
      - Addresses of other hosts of the LAN that offer their O(store) over HTTP. A file that one of
        them has comes from there, held against the hub's hashes like any other; what they lack or
        give wrong comes from the hub.
      - When the hub cannot be reached, a peer's own record of the commit is taken instead of it.
    type: list
    elements: str
    default: []
  server_url:
    description:
      - Address of the omlx that serves these models. With it, the server is told of new models once
        they are in place. It reads its models anew only when something changed and while it is
        idle, and has to list each of them with all of its weights afterwards. That it is down is
        fine.
      - It is also asked what it has loaded before anything is removed.
    type: str
  server_key:
    description: The server's main key.
    type: str
  server_stopped:
    description:
      - Says that no server runs, so that nothing can be loaded. A server that does not answer is
        otherwise taken for one that is just starting.
    type: bool
    default: false
  server_idle_wait_s:
    description: Seconds that a busy server gets to come to rest before it is left alone.
    type: float
    default: 120
  reserve_gb:
    description: Gigabytes (1000^3 bytes) of the disk that stay free.
    type: float
    default: 10
  memory_ceiling_bytes:
    description:
      - Memory that the models of this host may use. One that alone needs more is refused before
        its first byte.
    type: int
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
  fetch:
    description:
      - With V(false), a run that would have to fetch changes nothing and says RV(pending=true).
    type: bool
    default: true
  progress:
    description:
      - Whether the playbook shows how far the pull is.
      - With V(false) the module runs in the foreground, and ends when the connection does.
    type: bool
    default: true
  progress_path:
    description:
      - A JSON file that is rewritten about once a second while files are fetched. Without this it
        is C(.closet.progress.json) in O(store), and removed at the end.
    type: path
  hub_cache:
    description:
      - The folder in which other tools keep a cache of the hub (C(~/.cache/huggingface/hub)).
        Unfinished downloads in it that nobody wrote to for an hour are removed.
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

- name: Remove a model, after a look at what would go
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    models:
      - repo: mlx-community/Qwen3-4B-4bit
    state: absent
    confirmed: "{{ models_removal_confirmed }}"
    server_url: http://127.0.0.1:8000
    server_key: "{{ closet_key }}"

- name: Take them from a cache on the LAN, and read everything that is here once more
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    endpoint: http://hub.local:8088
    verify: sha256
    models: "{{ models }}"
"""

RETURN = r"""
pending:
  description: Whether bytes are missing that O(fetch=false) kept from being fetched.
  returned: success
  type: bool
  sample: false
removal:
  description: Models that are to go with O(state=absent) or O(exclusive=true).
  returned: success
  type: dict
  contains:
    confirmed:
      description: Whether they were removed (in check mode, would be), or only listed.
      type: bool
    models:
      description: The models; C(loaded) is null when the server could not be asked.
      type: list
      elements: dict
  sample:
    confirmed: false
    models:
      - repo: mlx-community/Qwen3-4B-4bit
        path: /Users/admin/.omlx/store/mlx-community/Qwen3-4B-4bit
        names: [qwen3-4b]
        bytes: 2263022417
        loaded: false
        stays_because: null
server:
  description: What became of telling the server; null when there was nothing to tell or nobody.
  returned: success
  type: dict
  contains:
    state:
      description: One of V(down), V(current), V(reloaded), V(busy).
      type: str
    sentence:
      description: The same in words.
      type: str
  sample: {state: current, sentence: "http://127.0.0.1:8000 lists all of them."}
peer_bytes:
  description: Bytes that came from O(peers).
  returned: success
  type: int
  sample: 0
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
    missing_bytes:
      description: Bytes that were still to come when the run began; null when unknown.
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
      missing_bytes: 0
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
  description:
    - Unfinished downloads that nothing would have continued, ours and those of other tools; they
      are removed.
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

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.models.arguments import ARGUMENTS
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.run import run

MODULE = Module(ARGUMENTS, run, (ModelError,))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

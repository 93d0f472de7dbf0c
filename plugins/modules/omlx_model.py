# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: omlx_model
short_description: Download, verify and link the models of a host
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Manages all models of a host in one run. Downloads each model from a model hub (Hugging Face, a
    mirror, or a cache on the LAN) at a commit, verifies it with the hashes of the hub, records it
    in a manifest beside its files, and links it by its served name into the folder that omlx
    serves.
  - An interrupted download resumes at the byte it had reached. The files get their final names only
    when the whole model is downloaded and verified.
  - A complete model needs no network and no hashing.
  - Before the first byte, the module reads the file lists of all models and compares the missing
    bytes with the free space of the disk.
  - Removes links that are no longer listed, superseded files, and unfinished downloads, including
    those of other tools. Removes whole models only with O(state=absent) or O(exclusive=true), and
    only with O(confirmed=true).
  - The playbook shows the progress of each host during a download. For this, the action plugin of
    this name runs the module a second time, in the background of the host. The pull continues there
    if the connection is lost.
requirements:
  - httpx, in the Python that runs the module, to download files. Check mode and runs without a
    download need only the standard library.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: Reports sizes if the hub can be reached.
  diff_mode:
    description: Shows the served names with their repositories and commits, before and after.
options:
  models:
    description:
      - All models for O(serve_dir). A host has one revision of a repository, under one name.
    type: list
    elements: dict
    required: true
    suboptions:
      repo:
        description: Repository on the hub, C(owner/name).
        type: str
        required: true
      revision:
        description:
          - Commit (40 hexadecimal digits), branch or tag.
          - The module resolves a branch or tag once, and keeps that commit until O(follow=true) or
            another revision is requested.
        type: str
        default: main
      name:
        description:
          - Served name, which omlx lists as the model's id. The default is the part of
            O(models[].repo) after the slash.
        type: str
  state:
    description:
      - V(present) downloads and links the models. V(absent) removes the listed models and their
        names, and no others.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Whether to remove all models of O(store) that are not listed.
    type: bool
    default: false
  confirmed:
    description:
      - Whether to remove models at all. With V(false), RV(removal) lists them and nothing is
        removed.
      - Even with V(true), nothing is removed if the server has one of the models loaded, or if that
        is unknown. The target of an unmanaged link stays.
    type: bool
    default: false
  confirm_command:
    description: Command that confirms a removal, for the message that lists the models.
    type: str
  store:
    description:
      - Folder of the models, as C(owner/name) below it. Created if missing.
    type: path
    required: true
  serve_dir:
    description:
      - Folder that omlx serves, with one symbolic link per listed model.
      - Links into O(store) that are not listed are removed. Real folders and links to other places
        stay and are reported.
    type: path
    required: true
  endpoint:
    description: The hub's address, or that of a mirror.
    type: str
    default: https://huggingface.co
  token:
    description:
      - Access token for gated and private repositories. It is sent only to O(endpoint).
      - Omit it for public repositories, because a hub refuses even these if the token is invalid.
    type: str
  proxy:
    description:
      - Address of the proxy for the hub, with its scheme.
      - The default is the proxy of the environment (C(HTTPS_PROXY) and so on).
    type: str
  ca_certificates:
    description:
      - Certificates (PEM) of additional authorities to trust, for networks that inspect TLS. Not
        used for O(peers).
    type: str
  peers:
    description:
      - Addresses of other hosts of the LAN that offer their O(store) over HTTP. The module
        downloads files from them where possible and verifies them with the hub's hashes. Missing
        and damaged files come from the hub.
      - When the hub cannot be reached, a peer's record of the commit replaces the hub's file list.
    type: list
    elements: str
    default: []
  server_url:
    description:
      - Address of the omlx that serves these models. After a change, the module waits until the
        server is idle, tells it to reload its list of models, and checks that it lists each model
        with all its weights. A server that is not running is no error.
      - Before a removal, the module asks the server which models it has loaded.
    type: str
  server_key:
    description: Main key of the server.
    type: str
  server_stopped:
    description:
      - Whether the server is known to be stopped, so that no model is loaded. Otherwise a server
        that does not answer counts as starting.
    type: bool
    default: false
  server_idle_wait_s:
    description: Seconds to wait until a busy server is idle, before the reload is skipped.
    type: float
    default: 120
  reserve_gb:
    description: Gigabytes (1000^3 bytes) that must stay free on the disk.
    type: float
    default: 10
  memory_ceiling_bytes:
    description:
      - Memory that the models of this host may use. A model that alone needs more is refused before
        its download.
    type: int
  verify:
    description:
      - How thoroughly to check downloaded models.
      - V(manifest) checks that each file of the manifest exists, V(size) also compares sizes,
        V(sha256) reads and hashes all files.
      - Only files that fail the check are downloaded again.
    type: str
    choices: [manifest, size, sha256]
    default: size
  follow:
    description: Whether to download a model again when its branch or tag moved on the hub.
    type: bool
    default: false
  fetch:
    description:
      - Whether to download missing files. With V(false), a run with missing files changes nothing
        and returns RV(pending=true).
    type: bool
    default: true
  progress:
    description:
      - Whether the playbook shows the progress of the pull.
      - With V(false) the module runs in the foreground, and ends with the connection.
    type: bool
    default: true
  progress_path:
    description:
      - JSON file with the progress, rewritten about once a second during a download. The default is
        C(.closet.progress.json) in O(store), which is removed at the end.
    type: path
  hub_cache:
    description:
      - Hub cache of other tools (C(~/.cache/huggingface/hub)). Unfinished downloads in it that have
        not changed for an hour are removed.
    type: path
  max_connections:
    description: Maximum number of parallel requests. Large files are downloaded in several ranges.
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

- name: Remove a model, after a confirmation
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    models:
      - repo: mlx-community/Qwen3-4B-4bit
    state: absent
    confirmed: "{{ models_removal_confirmed }}"
    server_url: http://127.0.0.1:8000
    server_key: "{{ closet_key }}"

- name: Download from a cache on the LAN, and verify all files again
  closet.inference.omlx_model:
    store: /Users/admin/.omlx/store
    serve_dir: /Users/admin/.omlx/models
    endpoint: http://hub.local:8088
    verify: sha256
    models: "{{ models }}"
"""

RETURN = r"""
pending:
  description: Whether O(fetch=false) prevented a download.
  returned: success
  type: bool
  sample: false
removal:
  description: Models that O(state=absent) or O(exclusive=true) removes.
  returned: success
  type: dict
  contains:
    confirmed:
      description: Whether they were removed (in check mode, would be), or only listed.
      type: bool
    models:
      description: The models. C(loaded) is null if the server could not be asked.
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
  description: Result of the server's reload. Null if nothing changed, and without O(server_url).
  returned: success
  type: dict
  contains:
    state:
      description: One of V(down), V(current), V(reloaded), V(busy).
      type: str
    sentence:
      description: The state as a sentence.
      type: str
  sample: {state: current, sentence: "http://127.0.0.1:8000 lists all of them."}
peer_bytes:
  description: Bytes downloaded from O(peers).
  returned: success
  type: int
  sample: 0
models:
  description: One entry per listed model, in the order of O(models).
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
        - Commit. In check mode the requested revision, if the hub could not be asked.
      type: str
    requested:
      description: Requested revision.
      type: str
    path:
      description: Folder of the model in the store.
      type: str
    bytes:
      description: Size of the model's files. Null if unknown (only in check mode).
      type: int
    missing_bytes:
      description: Bytes that were missing at the start of the run. Null if unknown.
      type: int
    fetched_bytes:
      description: Bytes downloaded in this run.
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
    - SHA-256 digest of the sorted names, repositories and commits. It changes with every change of
      a served model. Meant for O(closet.inference.launchd_job#module:restart_on).
  returned: success
  type: str
  sample: 3f0e6cf1a3b8f0f7c8f2c1c6a5cf1b7e0f6ad1a6bd7c2f3f74e9a6de0b5f0c11
missing_bytes:
  description:
    - Bytes that were missing at the start of the run. Null if unknown (only in check mode).
  returned: success
  type: int
  sample: 0
free_bytes:
  description: Free bytes on the disk of the store at the start of the run.
  returned: success
  type: int
  sample: 512000000000
leftovers:
  description:
    - Abandoned downloads of this module and of other tools, which this run removed.
  returned: success
  type: dict
  contains:
    count:
      description: Number of files.
      type: int
    bytes:
      description: Disk space of the files.
      type: int
  sample: {count: 1, bytes: 62918656}
links:
  description: Served names that this run linked or removed, or would in check mode.
  returned: success
  type: dict
  contains:
    made:
      description: Names that were linked to their model.
      type: list
      elements: str
    removed:
      description: Names that were removed because they are no longer listed.
      type: list
      elements: str
    foreign:
      description: Unmanaged entries of the folder, which stay.
      type: list
      elements: str
  sample: {made: [qwen3-0.6b], removed: [], foreign: []}
"""

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.run import ARGUMENTS, run

MODULE = Module(ARGUMENTS, run, (ModelError,))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

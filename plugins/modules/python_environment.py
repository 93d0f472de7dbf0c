# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_environment
short_description: One complete virtual environment from a locked list, made by uv
version_added: "0.1.0"
description:
  - Builds a virtual environment at a path that stands for its contents, and never changes it
    afterwards. A new list gets a new path, so that a running server keeps the environment it
    was started with.
  - An environment is complete when it holds the file C(.complete), which is written last. An
    incomplete one, left by a run that was cut off, is removed and built again. A complete one
    costs no network.
  - Every pin is looked for at its source before anything is made. A build that fails leaves
    nothing behind.
  - One builder works on a path at a time. A second one waits up to 15 minutes, says for whom, and
    has nothing left to do when the first one has completed it. The lock ends with the module and
    the commands that it started, also after C(kill -9).
  - Uses a Python of the host only when no account but root and the administrator who ran sudo can
    change it; otherwise uv downloads one.
  - Brings its own uv, installed with C(/usr/bin/python3) and pip when it is missing.
  - uv keeps its cache, and a Python it had to download, beside O(uv_path), where the user of a
    service can read them.
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
  - closet.inference.releases
attributes:
  check_mode:
    details: Uses no network.
options:
  path:
    description: Folder of the environment, such as V(/opt/closet/omlx/<digest>).
  requirements:
    description: Text of a requirements file. It is kept in the environment as
      C(requirements.txt). Needed for O(state=present), as are O(python), O(uv_path) and
      O(uv_version).
    type: str
  hashes:
    description: The list is complete and every package in it has hashes; nothing else gets
      installed.
    type: bool
    default: false
  python:
    description: The Python to use, in uv's words, such as V("3.11") or a path.
    type: str
  uv_path:
    description: Folder of the uv that builds it, such as V(/opt/closet/uv/0.13.9).
    type: str
  uv_version:
    description: Version of that uv.
    type: str
  index_url:
    description: Package index to use instead of the usual one, for uv and pip alike.
    type: str
  check:
    description: A program of the environment and its arguments, which has to end with 0 before
      the environment is complete.
    type: list
    elements: str
    default: []
  ask:
    description:
      - Text of a Python program that is run once, by the environment's Python, before the
        environment is complete. It ends with a line that is a JSON object, which is kept in the
        environment as C(answer.json) and returned as RV(answer). Texts in its list C(warnings)
        are shown by the run that builds it.
      - One that fails, or says something else, costs a warning, and the environment stays.
    type: str
  ask_user:
    description: Account that runs O(ask), with nothing in its environment. Needed with O(ask).
    type: str
  report:
    description: Names of packages whose version in the environment is returned.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Install omlx
  closet.inference.python_environment:
    path: "/opt/closet/omlx/{{ omlx_requirements | hash('sha256') | truncate(12, true, '') }}"
    requirements: "{{ omlx_requirements }}"
    hashes: true
    python: "3.11"
    uv_path: "/opt/closet/uv/0.13.9"
    uv_version: 0.13.9
    check: [omlx, --help]
  become: true

- name: Keep the one before it, remove older ones
  closet.inference.python_environment:
    path: /opt/closet/omlx/1f2e3d4c5b6a
    state: pruned
    keep: 1
  become: true
"""

RETURN = r"""
steps:
  description: What was done, or would be; empty for a complete environment.
  returned: success
  type: list
  elements: str
  sample: [install uv, resolve, create, install, check, complete]
bin:
  description: Folder of the environment's programs.
  returned: with O(state=present)
  type: str
  sample: /opt/closet/omlx/1f2e3d4c5b6a/bin
versions:
  description: Version of each package of O(report) that the environment holds.
  returned: with O(state=present)
  type: dict
  sample: {"omlx": "0.6.0"}
answer:
  description: What the environment said when it was built; empty when it was not asked then.
  returned: with O(state=present)
  type: dict
  sample: {"program": "omlx 0.7.0", "warnings": []}
digest:
  description: Changes when, and only when, requirements, Python or uv change.
  returned: with O(state=present)
  type: str
  sample: 9b0c2c1c3d2f5e3f0f4f1c6f1b1d0a7f7f1e2d3c4b5a69788796a5b4c3d2e1f0
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import installed_releases
from ansible_collections.closet.inference.plugins.module_utils.build_lock import LockedError
from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.environment_build import (
    BuildFailedError,
)
from ansible_collections.closet.inference.plugins.module_utils.python_environment import (
    EnvironmentRefusedError,
    execute,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    **installed_releases.OPTIONS,
    "requirements": {"type": "str"},
    "hashes": {"type": "bool", "default": False},
    "python": {"type": "str"},
    "uv_path": {"type": "str"},
    "uv_version": {"type": "str"},
    "index_url": {"type": "str"},
    "check": {"type": "list", "elements": "str", "default": []},
    "ask": {"type": "str"},
    "ask_user": {"type": "str"},
    "report": {"type": "list", "elements": "str", "default": []},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The environment as it is to be."""
    return execute(options, Runner(), check_mode)


MODULE = Module(
    OPTIONS,
    work,
    (EnvironmentRefusedError, BuildFailedError, LockedError),
    constraints={
        "required_by": {"ask": ["ask_user"]},
        "required_if": [["state", "present", ["requirements", "python", "uv_path", "uv_version"]]],
    },
)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

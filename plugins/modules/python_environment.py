# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_environment
short_description: Build a complete Python virtual environment with uv
version_added: "0.1.0"
description:
  - Builds a virtual environment from a list of requirements and never changes it afterwards. Use a
    new path for each new list, so that a running server keeps its environment.
  - An environment is complete if it has the file C(.complete), which is written last. The
    incomplete environment of an interrupted run is removed and built again. A complete environment
    needs no network.
  - Checks before the build that every pinned version is available. A failed build leaves nothing
    behind.
  - Only one process builds at a path at a time. A second one waits up to 15 minutes, shows the
    process that it waits for, and uses the completed environment. The lock ends with the module and
    the commands that it started, even after C(kill -9).
  - Uses a Python of the host only if no account except root and the administrator who ran sudo can
    change it. Otherwise uv downloads a Python.
  - Installs its own uv with C(/usr/bin/python3) and pip, if it is missing.
  - uv keeps its cache and the downloaded Python beside O(uv_path), where the user of a service can
    read them.
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
    description: Text of a requirements file, stored in the environment as C(requirements.txt).
      Required for O(state=present), together with O(python), O(uv_path) and O(uv_version).
    type: str
  hashes:
    description: Whether the list is complete and has hashes for every package. No other package is
      installed.
    type: bool
    default: false
  python:
    description: Python to use, in uv's format, such as V("3.11") or a path.
    type: str
  uv_path:
    description: Folder of uv, such as V(/opt/closet/uv/0.13.9).
    type: str
  uv_version:
    description: Version of uv.
    type: str
  index_url:
    description: Package index for uv and pip, instead of PyPI.
    type: str
  check:
    description: Program of the environment and its arguments. It has to exit with 0 before the
      environment is complete.
    type: list
    elements: str
    default: []
  ask:
    description:
      - Text of a Python program that the environment's Python runs once, before the environment is
        complete. Its last line of output is a JSON object, which is stored in the environment as
        C(answer.json) and returned as RV(answer). The run that builds the environment shows the
        texts in its list C(warnings).
      - If the program fails or prints no such line, the task warns and the environment stays.
    type: str
  ask_user:
    description: Account that runs O(ask), with an empty environment. Required with O(ask).
    type: str
  report:
    description: Names of packages for RV(versions).
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

- name: Keep the previous environment, remove older ones
  closet.inference.python_environment:
    path: /opt/closet/omlx/1f2e3d4c5b6a
    state: pruned
    keep: 1
  become: true
"""

RETURN = r"""
steps:
  description: Steps that the task ran, or would run in check mode. Empty if the environment was
    complete.
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
  description: Installed version of each package of O(report).
  returned: with O(state=present)
  type: dict
  sample: {"omlx": "0.6.0"}
answer:
  description: Output of O(ask) during the build. Empty if the environment was built without O(ask).
  returned: with O(state=present)
  type: dict
  sample: {"program": "omlx 0.7.0", "warnings": []}
digest:
  description: Digest of the requirements and of the versions of Python and uv.
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
    """Bring the environment to its wanted state."""
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

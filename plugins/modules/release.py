# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install a release of a program from an archive or from the npm registry
version_added: "0.1.0"
description:
  - Downloads one archive, verifies it, unpacks it beside O(path), tests it, and renames it to
    O(path). Therefore O(path) is either a complete release or missing. A release never changes
    afterwards. A complete release needs no network.
  - Only one process installs at a path at a time. A second one waits up to 15 minutes, shows the
    process that it waits for, and uses the completed release. The lock ends with the module, even
    after C(kill -9). The next run removes the remains of an interrupted one.
  - Unpacks regular files, folders, and links that stay inside the release. Refuses an archive with
    other entries. All files belong to the user who runs the module. Everyone can read them, and
    only that user can write them.
  - A release is complete if it has the file C(.complete).
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
  - closet.inference.releases
attributes:
  check_mode:
    details: Uses no network.
options:
  kind:
    description:
      - V(archive) is a tar archive at O(url), compressed or not.
      - V(npm) is a package of the npm registry. Its archive is verified with the integrity value of
        the registry. No script of the package runs, and its dependencies are not installed, so use
        it for packages that contain a program. It requires neither npm nor Node.
    type: str
    choices: [archive, npm]
    default: archive
  url:
    description: Address of the archive. Required for O(kind=archive), together with O(checksum).
    type: str
  checksum:
    description: Checksum of the archive, as algorithm and digest, or as algorithm and address of a
      list of digests.
    type: str
  headers:
    description: Headers for O(url). They are not sent to the targets of redirects.
    type: dict
    default: {}
  strip_components:
    description: Number of leading folders to remove from the names in the archive.
    type: int
    default: 0
  package:
    description: Name of the package. Its files are placed in C(node_modules/<package>). Required
      for O(kind=npm), together with O(version).
    type: str
  version:
    description: Exact version of the package.
    type: str
  registry:
    description: Address of a mirror of the npm registry.
    type: str
  check:
    description: Program of the release, as a path inside it, and its arguments. It has to exit with
      0 before the release is complete.
    type: list
    elements: str
    default: []
  check_says:
    description: Text that O(check) has to print.
    type: str
  check_user:
    description: Account that runs O(check), with an empty environment. The default is the user who
      runs the module.
    type: str
"""

EXAMPLES = r"""
- name: Install ollama
  closet.inference.release:
    path: /opt/closet/ollama/0.34.4
    url: https://github.com/ollama/ollama/releases/download/v0.34.4/ollama-darwin.tgz
    checksum: sha256:e9c8fddaab5f48f47f2c4ae3d23d0732f5182417125353faeed2188e34a22799
    check: [ollama, --version]
    check_user: admin
  become: true

- name: Install opencode
  closet.inference.release:
    path: /opt/closet/opencode/1.18.33
    kind: npm
    package: opencode-darwin-arm64
    version: 1.18.33
    check: [node_modules/opencode-darwin-arm64/bin/opencode, --version]
    check_says: 1.18.33
    check_user: admin
  become: true
"""

RETURN = r"""
steps:
  description: Steps that the task ran, or would run in check mode. Empty for a complete release.
  returned: success
  type: list
  elements: str
  sample: [fetch, unpack, check, complete]
path:
  description: Folder of the release.
  returned: with O(state=present)
  type: str
  sample: /opt/closet/ollama/0.34.4
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import installed_releases
from ansible_collections.closet.inference.plugins.module_utils.build_lock import LockedError
from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)
from ansible_collections.closet.inference.plugins.module_utils.release.request import (
    ReleaseFailedError,
    ReleaseRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.release.run import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OPTIONS = {
    **installed_releases.OPTIONS,
    "kind": {"type": "str", "choices": ["archive", "npm"], "default": "archive"},
    "url": {"type": "str"},
    "checksum": {"type": "str"},
    "headers": {"type": "dict", "default": {}},
    "strip_components": {"type": "int", "default": 0},
    "package": {"type": "str"},
    "version": {"type": "str"},
    "registry": {"type": "str"},
    "check": {"type": "list", "elements": "str", "default": []},
    "check_says": {"type": "str"},
    "check_user": {"type": "str"},
}
NEEDED = {"archive": ("url", "checksum"), "npm": ("package", "version")}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the release to its wanted state."""
    kind = options["kind"]
    missing = [name for name in NEEDED[kind] if not options[name]]
    if missing and options["state"] == "present":
        raise ModuleError(f"kind is {kind}, and {', '.join(missing)} is missing")
    return execute(options, Runner(), check_mode)


MODULE = Module(OPTIONS, work, (ReleaseRefusedError, ReleaseFailedError, LockedError))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: One complete release of a program, from an archive or from npm's registry
version_added: "0.1.0"
description:
  - Fetches one archive, checks it, unpacks it beside O(path), tries it, and renames it to O(path).
    So there is a complete release at O(path) or none. It is never changed afterwards, and costs no
    network when it is there.
  - One builder works on a path at a time. A second one waits up to 15 minutes, says for whom, and
    has nothing left to do when the first one has completed it. The lock ends with the module, also
    after C(kill -9); what such a module left is removed by the next one.
  - Unpacks regular files, folders, and links that stay inside the release; an archive with anything
    else is refused. Everything belongs to the user who runs the module, is readable for all and
    writable for that user alone.
  - A release is complete when it holds the file C(.complete).
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
      - V(npm) is a package of npm's registry. Its archive is checked against the integrity that the
        registry has of it, no script of it runs, and what it depends on is not installed, so it is
        for packages that hold a program. Neither npm nor Node is needed.
    type: str
    choices: [archive, npm]
    default: archive
  url:
    description: Address of the archive. Needed for O(kind=archive), as is O(checksum).
    type: str
  checksum:
    description: What the archive has to be, algorithm and digest, or algorithm and address of a
      list of digests.
    type: str
  headers:
    description: Headers for O(url), not sent to where it redirects.
    type: dict
    default: {}
  strip_components:
    description: Leading folders of the archive's names to drop.
    type: int
    default: 0
  package:
    description: Name of the package; its files are placed in C(node_modules/<package>). Needed for
      O(kind=npm), as is O(version).
    type: str
  version:
    description: Exact version of the package.
    type: str
  registry:
    description: Address of a mirror of npm's registry.
    type: str
  check:
    description: A program of the release, by its path in it, and its arguments; it has to end with
      0 before the release is complete.
    type: list
    elements: str
    default: []
  check_says:
    description: What O(check) has to print.
    type: str
  check_user:
    description: Account that runs O(check), with nothing in its environment. The user who runs the
      module unless given.
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
  description: What was done, or would be; empty for a complete release.
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
    """The release as it is to be."""
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

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that keep complete releases side by side in one folder."""

from __future__ import annotations


class ModuleDocFragment:
    """The class name that Ansible requires."""

    DOCUMENTATION = r"""
options:
  path:
    description: Folder of the release, such as V(/opt/closet/ollama/0.34.4).
    type: str
    required: true
  state:
    description:
      - V(present) installs the release if it is missing.
      - V(pruned) removes the other releases beside O(path), except for the O(keep) releases that
        were completed last. A release that is being installed stays, with a warning.
      - V(absent) removes the release.
      - The module does not check whether a process still runs from a release that it removes.
    type: str
    choices: [present, pruned, absent]
    default: present
  keep:
    description: Number of other releases that O(state=pruned) keeps.
    type: int
    default: 1
  keep_first:
    description: Release that O(state=pruned) keeps before all others, such as the previous release
      of a server. It counts as one of O(keep).
    type: str
"""

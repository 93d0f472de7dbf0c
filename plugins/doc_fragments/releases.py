# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that keep complete releases side by side in one folder."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible's name for what documentations share."""

    DOCUMENTATION = r"""
options:
  path:
    description: Folder of the release, such as V(/opt/closet/ollama/0.34.4).
    type: str
    required: true
  state:
    description:
      - V(present) installs it where it is not there.
      - V(pruned) leaves it alone and removes the other releases in its folder, but for the O(keep)
        that were completed last. One that is being installed stays, with a warning.
      - V(absent) removes it.
      - Whether a process still runs from one that is removed is the caller's to know.
    type: str
    choices: [present, pruned, absent]
    default: present
  keep:
    description: How many other releases O(state=pruned) leaves.
    type: int
    default: 1
  keep_first:
    description: One that O(state=pruned) keeps before the others, such as the one that a server
      ran from until now.
    type: str
"""

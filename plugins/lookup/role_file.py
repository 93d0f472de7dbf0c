# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file of one of our roles lies on the controller; thin."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_file
short_description: The path of a file that a role of this collection brings
version_added: "0.1.0"
author: closet.inference contributors (@closet-inference)
description:
  - C(role_path) belongs to the role of the task that uses a variable, which may be another role
    than the one that defines it. A table of a server is used by several roles and by plays.
options:
  _terms:
    description: The file, from the folder of the roles on.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the path of the lock of mlx_lm
  ansible.builtin.debug:
    msg: "{{ lookup('closet.inference.role_file', 'mlx_lm/files/mlx_lm.txt') }}"
"""

RETURN = r"""
_raw:
  description: The path of each file.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

ROLES = Path(__file__).parents[2] / "roles"


class LookupModule(LookupBase):
    """Paths below roles/."""

    def run(self, terms: list[str], variables: Any = None, **_given: Any) -> list[str]:
        """Return the path of each file."""
        return [str(ROLES / term) for term in terms]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path of a role's file on the controller; thin."""

from __future__ import annotations

DOCUMENTATION = r"""
name: role_file
short_description: Return the path of a file in a role of this collection
version_added: "0.1.0"
author: closet.inference contributors (@closet-inference)
description:
  - Use it in a variable of a role that other roles or plays also use. There C(role_path) is the
    path of the role whose task uses the variable, not of the role that defines it.
options:
  _terms:
    description: Path of the file, relative to the folder of the roles.
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
  description: Path of each file.
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

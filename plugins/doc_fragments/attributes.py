# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules promise of check mode and diff mode."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible's name for what documentations share."""

    # A module that changes something.
    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Says exactly what a real run would change, and changes nothing.
  diff_mode:
    support: full
    description: Shows what changes, before and after.
"""

    # A module that only reads.
    INFO = r"""
attributes:
  check_mode:
    support: full
    description: Changes nothing, so check mode makes no difference.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

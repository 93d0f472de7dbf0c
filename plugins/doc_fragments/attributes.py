# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Support of check mode and diff mode, for the documentation of modules."""

from __future__ import annotations


class ModuleDocFragment:
    """The class name that Ansible requires."""

    # A module that changes something.
    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Reports exactly the changes of a real run, and changes nothing.
  diff_mode:
    support: full
    description: Shows the changed state before and after.
"""

    # A module that only reads.
    INFO = r"""
attributes:
  check_mode:
    support: full
    description: Changes nothing, with or without check mode.
  diff_mode:
    support: none
    description: Changes nothing, so there is no difference to show.
"""

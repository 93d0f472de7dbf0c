# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions of opencode as the lock holds them, for its template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.opencode import permissions


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"opencode_held": permissions.held}

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters from a Mac's memory in MiB to its wired limit in MiB: ours, and the system's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.probe.memory import (
    default_limit_mb,
    error,
    wired_limit_mb,
)


def wired_limit_error(name: str, *given: Any) -> str:
    """Why a limit must not be set, or nothing."""
    return error(name, *given) or ""


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {
            "wired_limit_mb": wired_limit_mb,
            "wired_limit_default_mb": default_limit_mb,
            "wired_limit_error": wired_limit_error,
        }

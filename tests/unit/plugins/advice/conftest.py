# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that every account may enter, and an account without any rights."""

from __future__ import annotations

from tests.unit.plugins.privileges.conftest import attacker, home, needs_root, nobody, place

__all__ = ["attacker", "home", "needs_root", "nobody", "place"]

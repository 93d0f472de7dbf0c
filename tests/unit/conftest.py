# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before any test imports the collection: Ansible finds our filters by their full names.

And hypothesis takes the same examples in every run.
"""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader
from hypothesis import settings

init_plugin_loader([str(Path(__file__).resolve().parents[2] / "collections")])
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile("same")

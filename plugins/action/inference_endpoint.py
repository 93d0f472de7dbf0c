# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inference_endpoint as a light run; see plugin_utils/light_module.py."""

from __future__ import annotations

from ansible.plugins.action import normal

from ansible_collections.closet.inference.plugins.plugin_utils.light_module import (
    Light,
    LightModule,
)


class ActionModule(LightModule, normal.ActionModule):
    """Ansible's own way to run a module, with a smaller program."""

    LIGHT = Light("inference_endpoint", often=True)

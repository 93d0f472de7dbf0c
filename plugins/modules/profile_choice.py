# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: profile_choice
short_description: Keep which profile was chosen for a closet, beside the inventory
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin; no host is contacted.
  - Writes C(.closet/HOST.json) beside the inventory.
  - M(closet.inference.inventory_check) honours it as long as the inventory's own C(closet_profile)
    stays what it was when the choice was made.
options:
  profile:
    description: The profile that was chosen.
    type: str
    required: true
  inventory_profile:
    description: What the inventory says now.
    type: str
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
"""

EXAMPLES = r"""
- name: Remember what was chosen
  closet.inference.profile_choice:
    profile: lean
    inventory_profile: default
"""

RETURN = r"""
path:
  description: The file, on the controller.
  returned: always
  type: str
  sample: /home/me/inventories/home/.closet/attic.json
"""

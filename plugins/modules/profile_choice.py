# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: profile_choice
short_description: Record the chosen profile of a closet beside the inventory
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin, and contacts no host.
  - Writes C(.closet/HOST.json) beside the inventory.
  - M(closet.inference.inventory_check) uses the recorded profile until C(closet_profile) in the
    inventory changes.
options:
  profile:
    description: Chosen profile.
    type: str
    required: true
  inventory_profile:
    description: Profile in the inventory at the time of the choice.
    type: str
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
"""

EXAMPLES = r"""
- name: Record the chosen profile
  closet.inference.profile_choice:
    profile: lean
    inventory_profile: default
"""

RETURN = r"""
path:
  description: Path of the record on the controller.
  returned: always
  type: str
  sample: /home/me/inventories/home/.closet/attic.json
"""

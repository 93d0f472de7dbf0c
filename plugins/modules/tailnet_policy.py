# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tailnet_policy
short_description: Keep the tailnet's policy beside the inventory, and give it to a headscale
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin; no host is contacted.
  - Writes O(file). With O(server) and O(api_key) it also asks that headscale which policy it has
    and replaces it, unless it is somebody's own. In check mode the headscale is asked whether it
    would take the policy.
  - A headscale runs the policy's tests against the machines that it knows. When they fail for
    nothing but tags that no machine has yet, the policy is given without tests; run it again when
    the machines are there.
  - Tailscale's own control server is not written to; the file is for its policy editor.
options:
  text:
    description: The policy, from RV(closet.inference.inventory_check#module:tailnet_policy).
    type: str
    required: true
  file:
    description: Where it is kept.
    type: path
    required: true
  server:
    description: Address of the headscale. Without it only the file is written.
    type: str
    default: ""
  api_key:
    description: API key of the headscale. Without it only the file is written.
    type: str
    default: ""
  api_key_place:
    description: Where a person finds that key; said when it is refused.
    type: str
    default: ""
  replace:
    description: Replace a policy that was not made by this module.
    type: bool
    default: false
extends_documentation_fragment:
  - closet.inference.attributes
"""

EXAMPLES = r"""
- name: Keep the policy
  closet.inference.tailnet_policy:
    text: "{{ preflight_inventory.tailnet_policy }}"
    file: "{{ inventory_dir }}/.closet/tailnet-policy.hujson"
"""

RETURN = r"""
file:
  description: Where the policy is kept.
  returned: always
  type: str
pushed:
  description: Whether a headscale was given the policy in this run.
  returned: always
  type: bool
tests:
  description: Whether the policy that the headscale has, or would get, has its tests.
  returned: always
  type: bool
"""

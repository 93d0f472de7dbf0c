# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tailnet_policy
short_description: Write the tailnet's policy beside the inventory and send it to a headscale
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin, and contacts no host of the inventory.
  - Writes O(file). With O(server) and O(api_key) it also reads the policy of that headscale and
    replaces it, unless it is an unmanaged policy. In check mode it only asks the headscale whether
    it would accept the policy.
  - A headscale runs the policy's tests against its machines. If the tests fail only because no
    machine has some of the tags yet, the module sends the policy without tests. Run it again when
    the machines are in the tailnet.
  - Does not write to the control server of Tailscale. Paste the file into its policy editor.
options:
  text:
    description: The policy, from RV(closet.inference.inventory_check#module:tailnet_policy).
    type: str
    required: true
  file:
    description: Path of the policy file.
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
    description: Place of that key, for the message when the headscale refuses it.
    type: str
    default: ""
  replace:
    description: Whether to replace a policy that this module did not write.
    type: bool
    default: false
extends_documentation_fragment:
  - closet.inference.attributes
"""

EXAMPLES = r"""
- name: Write the policy
  closet.inference.tailnet_policy:
    text: "{{ preflight_inventory.tailnet_policy }}"
    file: "{{ inventory_dir }}/.closet/tailnet-policy.hujson"
"""

RETURN = r"""
file:
  description: Path of the policy file.
  returned: always
  type: str
pushed:
  description: Whether this run sent the policy to a headscale.
  returned: always
  type: bool
tests:
  description: Whether the policy of the headscale, or the one it would get, includes the tests.
  returned: always
  type: bool
"""

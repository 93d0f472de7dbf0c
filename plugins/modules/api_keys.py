# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_keys
short_description: Create the API keys of a closet and its laptops beside the inventory
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin, and contacts no host.
  - Creates the missing keys, which are the main key of the closet and a client key for each laptop.
    The files have mode V(0600), their folder V(0700). Keys in the inventory (C(closet_api_key) of
    a closet, C(closet_client_key) of a laptop) stay there.
  - Moves replaced keys and the keys of laptops that are no longer listed to the folder C(revoked).
    They stay there until a task with O(forget_revoked=true) deletes them, after a check that they
    open nothing.
  - Returns no keys.
options:
  closet:
    description: Closet of the keys.
    type: str
    required: true
  folder:
    description: Folder of the keys. Created if missing.
    type: path
    required: true
  laptops:
    description: Laptops that may use the closet.
    type: list
    elements: str
    default: []
  rotate:
    description: Keys to replace, V(all), V(main), or names of laptops, separated by commas.
    type: str
    default: ""
  forget_revoked:
    description: Whether to delete the revoked keys, and do nothing else.
    type: bool
    default: false
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    description: Shows the names of the changed keys, never the keys.
"""

EXAMPLES = r"""
- name: Create the keys
  closet.inference.api_keys:
    closet: attic
    folder: "{{ inventory_dir }}/.secrets"
    laptops: [air, pro]
"""

RETURN = r"""
created:
  description: Names of the created keys.
  returned: unless forget_revoked
  type: list
  elements: str
rotated:
  description: Names of the replaced keys.
  returned: unless forget_revoked
  type: list
  elements: str
retired:
  description: Names of the keys that were revoked because they are no longer listed.
  returned: unless forget_revoked
  type: list
  elements: str
forgotten:
  description: Number of deleted revoked keys.
  returned: with forget_revoked
  type: int
"""

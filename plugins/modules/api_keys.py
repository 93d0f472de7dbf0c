# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_keys
short_description: Make the keys of a closet and its laptops, beside the inventory
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin; no host is contacted.
  - Makes the closet's main key and one for each laptop that has none, with mode V(0600) in a folder
    with mode V(0700). A key that the inventory brings (C(closet_api_key) of a closet,
    C(closet_client_key) of a laptop) is left to the inventory.
  - The key of a laptop that is not named any more, and one that is replaced, moves to the folder
    C(revoked). It stays there until O(forget_revoked) says that it was proven to open nothing.
  - No key is in its result.
options:
  closet:
    description: The closet that the keys open.
    type: str
    required: true
  folder:
    description: The folder of the keys. It is made when it is not there.
    type: path
    required: true
  laptops:
    description: The laptops that may ask the closet.
    type: list
    elements: str
    default: []
  rotate:
    description: Whose key to replace by another, V(all), V(main), or names separated by commas.
    type: str
    default: ""
  forget_revoked:
    description: Only remove the revoked keys.
    type: bool
    default: false
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  diff_mode:
    description: Says whose keys change, never which they are.
"""

EXAMPLES = r"""
- name: Make the keys
  closet.inference.api_keys:
    closet: attic
    folder: "{{ inventory_dir }}/.secrets"
    laptops: [air, pro]
"""

RETURN = r"""
created:
  description: Whose keys were made.
  returned: unless forget_revoked
  type: list
  elements: str
rotated:
  description: Whose keys were replaced.
  returned: unless forget_revoked
  type: list
  elements: str
retired:
  description: Whose keys were put aside, since they are not named any more.
  returned: unless forget_revoked
  type: list
  elements: str
forgotten:
  description: How many revoked keys were removed.
  returned: with forget_revoked
  type: int
"""

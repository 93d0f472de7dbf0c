# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_check
short_description: Check the whole inventory before anything is changed
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin; no host is contacted.
  - Refuses an inventory without a closet, two hosts with one address, a misspelled variable of
    this collection, an unknown profile or model, and a laptop whose closet is not one. All problems
    are reported together, each with its place and what to do.
  - Reads profiles and models strictly. A model that is named twice, a role that is none, a size
    without a unit or a limit that the model does not have is refused.
  - A profile that was chosen earlier with M(closet.inference.profile_choice) holds as long as the
    inventory's own line stays what it was.
  - Refuses a tailnet that could not be as the inventory says; names that can be none, two tailnets,
    a tag that nobody owns, keys that cannot be meant, and a laptop whose URL nobody would answer.
  - Looks at what lies beside the inventory for its owner alone, C(.secrets) and C(.closet). Modes
    of the owner's own files that let others in are mended, and a warning says which. What another
    account owns, and a key that git keeps, is a warning with the command. A folder, a pipe or
    nothing in place of a key, and a link that leads out, are refused. Nothing is mended in check
    mode, or in a run that is refused.
  - Works out what each closet serves, and how each laptop reaches it, for the plays that follow.
options:
  models:
    description: The catalogue of models by id, as in the C(preflight) role's C(vars).
    type: dict
    required: true
  profiles:
    description: The profiles by name, as in the C(preflight) role's C(vars).
    type: dict
    required: true
  profile:
    description:
      - The profile that this run asks for, with C(-e profile=lean). It goes before the inventory's.
    type: str
    default: ""
  closet:
    description: The closet that O(profile) is for. Needed only when there are several.
    type: str
    default: ""
extends_documentation_fragment:
  - closet.inference.attributes.info
"""

EXAMPLES = r"""
- name: Check the inventory
  closet.inference.inventory_check:
    models: "{{ preflight_models }}"
    profiles: "{{ preflight_profiles }}"
  run_once: true
  register: preflight_inventory
"""

RETURN = r"""
servings:
  description: What each closet serves, by host name.
  returned: always
  type: dict
  sample:
    attic:
      host: attic
      url: http://attic.local:8000/v1
      exposure: lan
      profile: default
      models: []
candidates:
  description: Everything that each closet could serve, one entry per profile, by host name.
  returned: always
  type: dict
closet_of:
  description: The closet that each laptop uses, by host name.
  returned: always
  type: dict
  sample: {"air": "attic"}
reach:
  description: Which name of its closet is in a laptop's URL, by host name.
  returned: always
  type: dict
  sample: {"air": "tailnet", "pro": "lan"}
tailnet:
  description:
    - The hosts that are in the tailnet, each with C(name), C(fqdn), C(domain), C(server) and
      C(tags). C(key) says where its auth key was found, C(key_file) in which file, if it was in
      one. No key is in it.
  returned: always
  type: dict
  sample:
    attic:
      name: attic
      fqdn: attic.tail1a2b3c.ts.net
      tags: [tag:closet]
      key: inventories/home/.secrets/tailnet.authkey
tailnet_policy:
  description: The policy file of the tailnet as text, empty without one.
  returned: always
  type: str
"""

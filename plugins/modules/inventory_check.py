# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_check
short_description: Check the whole inventory before anything changes
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin, and contacts no host.
  - Refuses an inventory without a closet, two hosts with one address, misspelled variables of this
    collection, unknown profiles and models, and a laptop whose closet is not in the group
    C(closet). Reports all errors together, each with its place and its fix.
  - Checks profiles and models strictly. It refuses duplicate models, unknown roles, sizes without a
    unit, and limits above those of the model.
  - Keeps a profile that was chosen with M(closet.inference.profile_choice) until the profile in the
    inventory changes.
  - Refuses an inconsistent tailnet, with invalid host names, more than one tailnet, tags without an
    owner, unusable keys, or a laptop whose URL no closet would answer.
  - Checks the private folders beside the inventory, C(.secrets) and C(.closet). It corrects modes
    of the owner's files that give access to other accounts, and warns about each. Files of another
    account and keys that git tracks cause a warning with the command to run. A missing key, a
    folder or pipe in place of a key, and a link that leads out of the folder are errors. Check mode
    and a run with errors correct nothing.
  - Returns the serving configuration of each closet, and how each laptop reaches it.
options:
  models:
    description: Models of the catalog by id, as in C(vars) of the role C(preflight).
    type: dict
    required: true
  profiles:
    description: Profiles of the catalog by name, as in C(vars) of the role C(preflight).
    type: dict
    required: true
  profile:
    description:
      - Profile that this run requests, for example with C(-e profile=lean). It takes precedence
        over the inventory.
    type: str
    default: ""
  closet:
    description: Closet for O(profile). Required if there are several closets.
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
  description: Serving configuration of each closet, by host name.
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
  description: Serving configurations that each closet could have, one per profile, by host name.
  returned: always
  type: dict
inputs:
  description:
    - Digest of everything that a run of C(site.yml) is made of, by host name. Empty in other
      playbooks.
  returned: always
  type: dict
closet_of:
  description: Closet of each laptop, by host name.
  returned: always
  type: dict
  sample: {"air": "attic"}
reach:
  description: Which name of the closet each laptop uses, V(lan), V(tailnet) or V(both), by host
    name.
  returned: always
  type: dict
  sample: {"air": "tailnet", "pro": "lan"}
tailnet:
  description:
    - Hosts of the tailnet, each with C(name), C(fqdn), C(domain), C(server) and C(tags). C(key) is
      the place of the auth key, C(key_file) its file, if it is in a file. The keys themselves are
      not returned.
  returned: always
  type: dict
  sample:
    attic:
      name: attic
      fqdn: attic.tail1a2b3c.ts.net
      tags: [tag:closet]
      key: inventories/home/.secrets/tailnet.authkey
tailnet_policy:
  description: Text of the tailnet's policy file. Empty without a tailnet.
  returned: always
  type: str
"""

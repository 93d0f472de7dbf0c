# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Hold a closet for this run, so that no other run works there at the same time
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin.
  - Takes a lock on the closet, C(/opt/closet/lock/run.json), that names its holder. When another
    run holds it, says so on the terminal and waits.
  - The lock ends with the run of ansible-playbook, however that ends, within a second; with a power
    cut of the closet; and 90 seconds after the controller was lost. A process on the controller and
    one on the closet, joined by ssh, keep it; nothing of them is left when the run has ended.
  - A later task of the same run finds that it holds the closet already.
  - Needs C(become), and the connection plugin ssh or local. With another one it warns.
options:
  seen:
    description: What the look at this host read in the lock file, as
      RV(closet.inference.host_facts#module:run) has it.
    type: str
    default: ""
  wait_s:
    description: Seconds to wait for another run.
    type: float
    default: 900
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: Takes no lock, and warns when another run has it.
  diff_mode:
    support: none
    description: It changes nothing that could be shown.
"""

EXAMPLES = r"""
- name: Hold the closet
  closet.inference.run_lock:
    seen: "{{ preflight_facts.run }}"
  become: true
  register: closet_hold

- name: Look again, since another run was there after the first look
  ansible.builtin.include_role:
    name: closet.inference.preflight
  when: closet_hold.stale
"""

RETURN = r"""
stale:
  description: Whether another run may have changed the host after the look that O(seen) is from.
  returned: success
  type: bool
  sample: false
waited_s:
  description: Seconds until the lock was there.
  returned: success
  type: int
  sample: 0
"""

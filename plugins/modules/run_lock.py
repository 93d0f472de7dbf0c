# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_lock
short_description: Take the run lock of a closet, so that no other run changes it at the same time
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin.
  - Takes the lock C(/opt/closet/lock/run.json) on the closet, which names its holder. If another
    run holds it, shows that run on the terminal and waits.
  - The lock ends within a second after ansible-playbook ends for any reason, with a power cut of
    the closet, and 90 seconds after the connection to the controller is lost. A process on the
    controller and one on the closet, connected by ssh, keep the lock. Both end with the run.
  - A later task of the same run uses the same lock.
  - Requires C(become), and the connection plugin ssh or local. Warns with any other connection
    plugin.
options:
  seen:
    description: Content of the lock file when the host facts were gathered,
      RV(closet.inference.host_facts#module:run).
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
    details: Takes no lock, and warns if another run has it.
  diff_mode:
    support: none
    description: Makes no change that could be shown.
"""

EXAMPLES = r"""
- name: Take the run lock
  closet.inference.run_lock:
    seen: "{{ preflight_facts.run }}"
  become: true
  register: closet_hold

- name: Gather the host facts again, since another run may have changed the closet
  ansible.builtin.include_role:
    name: closet.inference.preflight
  when: closet_hold.stale
"""

RETURN = r"""
stale:
  description: Whether another run may have changed the host after the host facts were gathered.
  returned: success
  type: bool
  sample: false
waited_s:
  description: Seconds of waiting for the lock.
  returned: success
  type: int
  sample: 0
"""

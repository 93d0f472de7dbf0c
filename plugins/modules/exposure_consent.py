# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exposure_consent
short_description: Have a person confirm that the LAN may reach a closet
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin; no host is contacted and nothing is changed.
  - Asks at the terminal for the name of the closet, unless the command itself has it, as in
    C(-e confirm=attic).
  - No variable counts, whoever sets it. An inventory, a file given as C(-e @file), a configuration
    file or an environment variable cannot confirm, and neither can a pipe.
options:
  host:
    description: The name that has to be typed.
    type: str
    required: true
  addresses:
    description: The addresses that it will listen on, for the question and the record.
    type: list
    elements: str
    required: true
  url:
    description: Where it will serve, for the question.
    type: str
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    support: partial
    description: Does not ask in check mode, and then returns no record.
    details:
      - A name on the command line is judged all the same.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Ask for the name of the closet
  closet.inference.exposure_consent:
    host: attic
    addresses: [10.77.31.10]
    url: http://attic.local:8000/v1
  register: expose_consent
"""

RETURN = r"""
how:
  description: V(typed) or V(command line), empty when check mode did not ask.
  returned: success
  type: str
text:
  description: The record, for the host to keep.
  returned: success
  type: str
"""

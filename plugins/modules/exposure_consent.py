# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exposure_consent
short_description: Ask a person to confirm the LAN exposure of a closet
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Runs on the controller, as an action plugin. Contacts no host and changes nothing.
  - Asks for the name of the closet at the terminal, unless it is on the command line, as in
    C(-e confirm=attic).
  - No other source can confirm. The module ignores inventories, files given as C(-e @file),
    configuration files, environment variables and pipes.
options:
  host:
    description: Name that the person has to type.
    type: str
    required: true
  addresses:
    description: Addresses on which the server will listen, for the question and the record.
    type: list
    elements: str
    required: true
  url:
    description: URL of the server, for the question.
    type: str
    required: true
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    support: partial
    description: Does not ask in check mode, and then returns no record.
    details:
      - Checks a name on the command line in any case.
  diff_mode:
    support: none
    description: Changes nothing.
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
  description: V(typed) or V(command line). Empty if check mode did not ask.
  returned: success
  type: str
text:
  description: Content of the consent record for the host.
  returned: success
  type: str
"""

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mcp_secrets
short_description: Read the secrets of MCP servers
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads a secret from C(mcp_secrets) in the inventory, or from the file C(mcp/NAME) in the folder
    of the keys. Only the owner may have access to the file.
options:
  _terms:
    description: Names of the secrets.
    type: list
    elements: str
  folder:
    description: Folder of the keys, beside the inventory.
    type: str
    required: true
  given:
    description: C(mcp_secrets) of the host.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Use a secret
  ansible.builtin.set_fact:
    secrets: >-
      {{ query('closet.inference.mcp_secrets', 'TOKEN', folder=inventory_dir ~ '/.secrets') }}
  no_log: true
"""

RETURN = r"""
_list:
  description: One C(name) and C(value) for each term.
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.closet.inference.plugins.plugin_utils.mcp.declarations import (
    SecretRefusedError,
    Secrets,
)


class LookupModule(LookupBase):
    """Reads; never writes."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the secrets in the order of the terms."""
        self.set_options(var_options=variables, direct=kwargs)
        secrets = Secrets(self.get_option("given"), Path(str(self.get_option("folder"))))
        try:
            return [{"name": name, "value": secrets.value(name)} for name in terms]
        except SecretRefusedError as error:
            raise AnsibleLookupError(str(error)) from error

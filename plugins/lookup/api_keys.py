# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: api_keys
short_description: Read the API keys of a closet
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads keys from the inventory (C(closet_api_key) of a closet, C(closet_client_key) of a laptop)
    or from the files of P(closet.inference.api_keys#module). Creates no keys.
  - In check mode, returns a placeholder for a key that a real run would create.
options:
  _terms:
    description: Names of the keys, V(main) or names of laptops.
    type: list
    elements: str
  closet:
    description: Closet of the keys.
    type: str
    required: true
  folder:
    description: Folder of the keys.
    type: str
    required: true
  rotate:
    description: Names of the keys that a real run would replace, for check mode.
    type: str
    default: ""
  revoked:
    description: Whether to return the revoked keys instead, as a list of texts.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Use the keys
  ansible.builtin.set_fact:
    keys: >-
      {{ query('closet.inference.api_keys', 'main', 'air', closet='attic',
               folder=inventory_dir ~ '/.secrets') }}
  no_log: true
"""

RETURN = r"""
_list:
  description: One C(name) and C(key) for each term.
  type: list
  elements: dict
"""

import contextlib
import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import keys
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    SecretFileError,
    read_secret,
)


class LookupModule(LookupBase):
    """Reads; never writes."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the keys in the order of the terms."""
        self.set_options(var_options=variables, direct=kwargs)
        closet = str(self.get_option("closet"))
        store = KeyStore(Path(str(self.get_option("folder"))), closet)
        try:
            if self.get_option("revoked"):
                return _revoked(store, keys.given(variables["hostvars"], closet, terms))
            return self._wanted(terms, store, variables)
        except (keys.KeysRefusedError, SecretFileError) as error:
            raise AnsibleLookupError(f"{closet}: {error}") from error
        except OSError as error:
            place = error.filename or store.folder
            raise AnsibleLookupError(
                f"{closet}: {place} cannot be read ({error.strerror}): run "
                f"`sudo chown -R $USER {shlex.quote(str(store.folder))}`"
            ) from error

    def _wanted(self, terms: list[str], store: KeyStore, variables: Any) -> list[Any]:
        check = bool(variables.get("ansible_check_mode"))
        laptops = [term for term in terms if term != keys.MAIN]
        given = keys.given(variables["hostvars"], store.closet, laptops)
        fresh = self._fresh(terms, given) if check else []
        return [{"name": term, "key": _key(term, given, store, fresh, check)} for term in terms]

    def _fresh(self, terms: list[str], given: dict[str, str]) -> list[str]:
        """Names of the keys that a real run would replace; other code reports invalid names."""
        try:
            return keys.names_to_rotate(str(self.get_option("rotate")), terms, given)
        except keys.KeysRefusedError:
            return []


def _revoked(store: KeyStore, given: dict[str, str]) -> list[str]:
    """Keys that the server has to refuse; invalid ones (an empty file) open nothing anyway."""
    active = {*store.stored().values(), *given.values()}
    return [
        key for key in store.revoked().values() if key not in active and keys.error(key) is None
    ]


def _key(name: str, given: dict[str, str], store: KeyStore, fresh: list[str], check: bool) -> str:
    if name in given:
        return given[name]
    path = store.path(name)
    if name not in fresh:
        with contextlib.suppress(FileNotFoundError):
            return read_secret(path)
    if check:
        return keys.placeholder(name)
    raise AnsibleLookupError(
        f"there is no key of {name} for {store.closet} ({path}): run "
        f"`{this_run.invocation().playbook('site')}`, which makes it and tells the closet"
    )

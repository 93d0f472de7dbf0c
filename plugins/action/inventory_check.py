# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the whole inventory on the controller and refuse what cannot work, before any host is asked.

Documentation: plugins/modules/inventory_check.py.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import inputs
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import checks, specs
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.origins import extra_names
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.profiles import Profiles
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.serving import Serving
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from ansible_collections.closet.inference.plugins.plugin_utils.mcp import declarations as mcp
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import (
    keys,
    private,
    private_files,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import SECRETS
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import nodes as tailnet
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import plan as tailnet_plan


class ActionModule(ActionBase):
    """Runs on the controller alone; no connection is made."""

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("models", "profiles", "profile", "closet"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return `servings` by closet host and `closet_of` by laptop, or fail with every error."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        run, check = this_run.invocation(), self._task.check_mode
        inventory = Inventory(task_vars or {}, specs.read(), extra_names(self._loader))
        profiles = Profiles(inventory, run, self._task.args)
        beside = private.judged(inventory.folders, inventory.closets, run, check)
        errors = [*beside.errors, *_own_errors(inventory, profiles, run)]
        servings, more = profiles.servings()
        errors += more
        closet_of, more = profiles.closet_of(servings)
        errors += more
        net, more = _tailnet(inventory, servings, closet_of)
        errors += more
        # where files cannot be told from folders, nothing in them can be read
        if not beside.errors:
            errors += _key_errors(inventory, closet_of, net.nodes)
            errors += _mcp_errors(inventory)
        # a run that is refused repairs nothing
        if not errors and not check:
            errors += private_files.mend(beside.repairs)
        if errors:
            result.update(failed=True, msg="\n".join(["Nothing was changed.", *errors]))
            return result
        found = {
            "servings": {host: profiles.described(host, one) for host, one in servings.items()},
            "closet_of": closet_of,
            "reach": net.reach,
            "tailnet": net.nodes,
            "tailnet_policy": net.policy,
        }
        result.update(
            changed=bool(beside.repairs),
            inputs=self._inputs(inventory, found),
            warnings=[*beside.warnings, *checks.unread_files(inventory)],
            candidates={host: profiles.candidates(host) for host in servings},
            **found,
        )
        return result

    def _inputs(self, inventory: Inventory, found: Mapping[str, Any]) -> dict[str, str]:
        """The digests by which site.yml knows its hosts again; no other playbook needs them."""
        if this_run.name_of_playbook() != "site":
            return {}
        made = {"groups": [inventory.closets, inventory.clients], **found}
        private_folders = [folder / SECRETS for folder in inventory.folders]
        return inputs.of_hosts(inventory, made, private_folders, self._loader.path_dwim)


def _own_errors(inventory: Inventory, profiles: Profiles, run: Invocation) -> list[str]:
    """What is wrong with the run and the inventory as such; first the values, which others use."""
    return [
        *this_run.parts_errors(),
        *inventory.value_errors(),
        *checks.group_errors(inventory),
        *checks.name_errors(inventory),
        *checks.extra_errors(inventory, this_run.name_of_playbook(), run, profiles.names),
        *profiles.choice_errors(),
    ]


def _tailnet(
    inventory: Inventory, servings: Mapping[str, Serving], closet_of: Mapping[str, str]
) -> tuple[tailnet_plan.Plan, list[str]]:
    """The tailnet of the inventory, if it has one, and how each laptop reaches its closet."""
    groups = {"closet": inventory.closets, "clients": inventory.clients}
    options = set(tailnet.OPTIONS)
    given = {
        host: {name: inventory.value(host, name, None) for name in options & set(raw)}
        for host, raw in inventory.raw.items()
    }
    reached = {host: (made.exposure, made.port) for host, made in servings.items()}
    folder = inventory.folder(inventory.closets[0]) if inventory.closets else Path()
    return tailnet_plan.plan(
        tailnet_plan.Inventory(given, groups, closet_of, reached, folder / SECRETS)
    )


def _key_errors(
    inventory: Inventory, closet_of: Mapping[str, str], in_tailnet: Container[str]
) -> list[str]:
    """Keys that could not be used: the inventory's own, and those in their files."""
    found: list[str] = []
    for closet in inventory.closets:
        laptops = [laptop for laptop, its in closet_of.items() if its == closet]
        given = keys.given(inventory.hostvars, closet, laptops)
        store = KeyStore(inventory.folder(closet) / SECRETS, closet)
        exposure = inventory.value(closet, "closet_exposure", "loopback")
        alone = exposure != "lan" and closet not in in_tailnet
        if alone and given.get(keys.MAIN) == "":
            continue  # only the closet itself can ask, so it needs no key
        try:
            stored = {
                str(store.path(name)): key
                for name, key in store.stored().items()
                if name not in given and name in (keys.MAIN, *laptops)
            }
        except keys.KeysRefusedError as error:
            found.append(str(error))
            continue
        brought = {keys.place(closet, name): key for name, key in given.items()}
        found += keys.errors({**brought, **stored}, stored)
        found += keys.unusable_names(closet, laptops)
    return found


def _mcp_errors(inventory: Inventory) -> list[str]:
    """MCP servers that no client could use, and secrets that are nowhere."""
    declared = {
        host: mcp.Declared(
            servers=inventory.value(host, "mcp_servers", {}),
            secrets=mcp.Secrets(
                inventory.value(host, "mcp_secrets", {}),
                inventory.folder(host) / SECRETS,
            ),
            closet=host in inventory.closets,
        )
        for host in inventory.hosts
    }
    return mcp.errors(declared)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the facts of a host with one shell script, which works before Python does.

/usr/bin/python3 of a fresh Mac is a stub that opens a dialog, so the first script must not need it.
It is also the cheapest way there is: one ssh exec, no module run.
Documentation: plugins/modules/host_facts.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils import consent, key_holders
from ansible_collections.closet.inference.plugins.module_utils.models import authority
from ansible_collections.closet.inference.plugins.plugin_utils import sudo_password, this_run
from ansible_collections.closet.inference.plugins.plugin_utils.connection import reach, unreachable
from ansible_collections.closet.inference.plugins.plugin_utils.converged import comparison
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import profile_choice
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    homes,
    linux,
    macos,
    memory,
    memory_plan,
    obstacles,
    person,
    rivals,
    script,
    space,
)
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    parse,
    plain,
)
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import keys as auth_keys
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import nodes as tailnet


class ActionModule(ActionBase):
    """Gathers facts and judges them; changes nothing."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(
        (
            "minimum_macos",
            "is_client",
            "serving",
            "candidates",
            "wired",
            "hub",
            "ca_bundle",
            "shape",
            "on_battery",
            "account",
            "person",
            "tailnet",
            "inputs",
            "closet",
        )
    )

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the facts and `errors`, one for each reason not to use this host."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        name = str(variables["inventory_hostname"])
        way = self._way(str(variables.get("ansible_host", name)))
        closet = str(self._arg("closet"))
        compared = comparison.Comparison(name, closet, str(self._arg("inputs")), variables)
        try:
            done = self._low_level_execute_command(
                script.SHELL,
                sudoable=False,
                executable="/bin/sh",
                in_data=script.as_input(self._script(compared.script(variables))).encode(),
            )
        except AnsibleConnectionFailure as failure:
            result.update(unreachable=True, msg=unreachable.error(name, way, str(failure.message)))
            return result
        facts = parse(done["stdout"])
        errors = self._errors(name, facts, variables)
        if not facts.complete:
            cut_off = reach.cut_off(name, way, done["rc"], done["stdout"], done["stderr"])
            errors.insert(0, cut_off)
        sizes: dict[str, float] = {}
        serving = self._arg("serving", {})
        if serving and facts.complete and facts.memory_mb is not None:
            sizes = _sizes(facts, serving)
            more, result["memory"] = self._closet(name, facts, serving, sizes)
            errors += more
        result.update(
            changed=False,
            errors=errors,
            warnings=self._warnings(name, facts),
            sizes_gb=sizes,
            **self._unsettled(name, facts, variables),
            **plain(facts),
        )
        result.update(self._account(facts))
        verdict = compared.verdict(done["stdout"], self._homes(result))
        result.update(
            converged=verdict.converged and not errors,
            converged_state=verdict.state,
            converged_closet=closet,
            converged_with=verdict.closet,
            differences=list(verdict.differences),
        )
        return result

    def _arg(self, name: str, default: Any = "") -> Any:
        return self._task.args.get(name) or default

    def _homes(self, found: Mapping[str, Any]) -> dict[str, str]:
        """The homes of the accounts that read their own files, as the observation has them."""
        if not self._arg("serving"):
            return {}
        own = {"": str(found["home"] or "")}
        if found["account"] != found["user"]:
            own[str(found["account"])] = str(found.get("account_home") or "")
        return {**own, "root": "/"}

    def _script(self, more: str) -> str:
        of_person = str(self._arg("person")) if self._arg("is_client") else None
        account, hub = str(self._arg("account")), str(self._arg("hub"))
        return script.text(
            self._arg("serving", {}), hub, account, bool(self._arg("tailnet")), of_person, more
        )

    def _account(self, facts: HostFacts) -> dict[str, Any]:
        """The account that serves, which is the user of the run unless another one was given."""
        given = str(self._arg("account"))
        account = given or facts.user
        found: dict[str, Any] = {
            "account": account,
            "former_accounts": key_holders.former_accounts(facts.key_holders, str(account)),
        }
        if not given:
            found.update(
                account_uid=facts.uid,
                account_group=facts.group,
                account_gid=facts.gid,
                account_home=facts.home,
            )
        return found

    def _unsettled(
        self, name: str, facts: HostFacts, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Errors that the playbook which asks for consent has to get past."""
        run, closets = this_run.invocation(), len((variables.get("groups") or {}).get("closet", ()))
        serving = self._arg("serving", {})
        choice = serving and profile_choice.error(
            name, facts.record, serving, lambda profile: run.choose(profile, name, closets)
        )
        missing = consent.objection(name, facts.consent_modes, facts.consent)
        wanted = serving.get("exposure") == "lan" and facts.kernel != "Linux"
        return {
            "consent_errors": (
                [consent.sentence(name, missing, run.expose(name, closets))]
                if missing and wanted
                else []
            ),
            "choice_errors": [choice] if choice else [],
            "lan_confirmed": missing is None,
        }

    def _warnings(self, name: str, facts: HostFacts) -> list[str]:
        serving = self._arg("serving", {})
        found = tailnet.left_over(name, facts.tailscale, self._arg("tailnet", {}))
        if facts.complete and self._arg("is_client"):
            found += person.warnings(name, facts.person, _opencode(facts))
        if serving and facts.kernel != "Linux":
            found += macos.warnings(name, facts, str(self._arg("on_battery", "nothing")))
            found += rivals.warnings(name, facts.rivals, int(serving["port"]))
        return found

    def _errors(self, name: str, facts: HostFacts, variables: Mapping[str, Any]) -> list[str]:
        """Why this host cannot be provisioned, but for the memory of what it serves."""
        has_password = bool(sudo_password.given(self, variables)[0])
        serving, node = self._arg("serving", {}), self._arg("tailnet", {})
        is_mac, account = facts.kernel != "Linux", str(self._arg("account"))
        found = self._host_errors(name, facts, has_password)
        more: list[str | None] = []
        if facts.complete and facts.sudo is False and facts.has_sudo is not False and has_password:
            more.append(sudo_password.error(self, variables, facts.user or "", facts.kernel or ""))
        if facts.complete and is_mac:
            more.append(auth_keys.error(facts.tailnet, node))
        if serving and self._arg("ca_bundle"):
            more.append(authority.objection(name, str(self._arg("ca_bundle"))))
        if serving and is_mac:
            shape = str(self._arg("shape", "appliance"))
            more.append(macos.laptop_closet(name, facts, shape))
        if is_mac and (serving or not self._arg("is_client")):
            more.append(macos.no_account(name, facts, account))
        return [*found, *filter(None, more)]

    def _host_errors(self, name: str, facts: HostFacts, has_password: bool) -> list[str]:
        """Why nothing can be done on this host, whatever its part is."""
        serving, account = self._arg("serving", {}), str(self._arg("account"))
        is_linux = facts.kernel == "Linux"
        found = homes.errors(name, facts.places, is_linux, is_linux and facts.user == facts.group)
        found += obstacles.errors(name, facts.user or "", facts.in_the_way, is_linux)
        found += obstacles.errors(name, account, facts.in_the_account_s_way, is_linux)
        programs = space.wanted_programs(
            str(serving.get("backend", "")), bool(self._arg("is_client"))
        )
        missing = space.missing_programs(facts.installed, programs)
        found += space.errors(name, facts.disks, missing)
        if not facts.complete:
            return found
        if is_linux:
            in_tailnet = bool(self._arg("tailnet"))
            return linux.errors(name, facts, has_password, bool(serving), in_tailnet) + found
        minimum_macos = str(self._arg("minimum_macos", "14"))
        too_old = macos.too_old_to_serve(name, facts, serving, minimum_macos)
        found = [*filter(None, [too_old]), *found]
        return macos.errors(name, facts, minimum_macos, has_password) + found

    def _way(self, address: str) -> reach.Way:
        """How this run reaches the host, from whatever source the inventory has it."""
        connection = self._connection
        if str(connection.transport).rpartition(".")[2] != "ssh":
            return reach.Way(address, is_ssh=False)

        def option(name: str) -> str:
            try:
                return str(connection.get_option(name) or "")
            except KeyError:
                return ""

        more = " ".join(filter(None, map(option, ("ssh_common_args", "ssh_extra_args"))))
        port = option("port")
        return reach.Way(
            option("host") or address,
            option("remote_user") or str(self._play_context.remote_user or ""),
            int(port) if port.isdigit() else 0,
            option("private_key_file"),
            more,
        )

    def _closet(
        self, name: str, facts: HostFacts, serving: Mapping[str, Any], sizes: Mapping[str, float]
    ) -> tuple[list[str], list[str]]:
        """What keeps this Mac from serving, and the sums of its memory as a table."""
        wired = self._arg("wired", {})
        memory_mb = facts.memory_mb or 0
        reserve_gb = float(wired.get("reserve_gb") or 0)
        limit_mb = int(wired.get("limit_mb") or 0) or memory.wired_limit_mb(
            memory_mb, reserve_gb, facts.macos
        )
        wrong = memory.error(
            name, memory_mb, limit_mb, bool(wired.get("may_be_lower")), reserve_gb, facts.macos
        )
        found = macos.closet_errors(name, facts, serving, str(serving.get("url_host", "")))
        found += filter(None, [wrong])
        if wrong:
            return found, []  # sums under a limit that is not set would mean nothing
        need = memory_plan.needs(serving, memory_mb, limit_mb, sizes)
        if not need.fits:
            others = [
                memory_plan.needs(one, memory_mb, limit_mb, sizes)
                for one in self._arg("candidates", [])
            ]
            found.append(memory_plan.error(name, memory_mb, need, others, len(sizes)))
        return found, memory_plan.table(name, memory_mb, need, len(sizes))


def _opencode(facts: HostFacts) -> str:
    """The version of the newest opencode that a run has installed, "" without one."""
    found = (one.partition("/") for one in facts.installed)
    return next((version for what, _slash, version in found if what == "opencode"), "")


def _sizes(facts: HostFacts, serving: Mapping[str, Any]) -> dict[str, float]:
    """Sizes of the weights that the hub gave, now or when they were first served."""
    known = {**facts.record.get("sizes_gb", {}), **script.hub_sizes(facts.hub, serving["models"])}
    sources = {memory_plan.source_of(model) for model in serving["models"]}
    return {source: float(size) for source, size in sorted(known.items()) if source in sources}

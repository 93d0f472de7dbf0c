# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host with one shell command, which works before Python does.

/usr/bin/python3 of a fresh Mac is a stub that opens a dialog, so the first look must not need it;
it also is the cheapest look there is: one ssh exec, no module run.
Documentation: plugins/modules/mac_facts.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils import key_holders as holders
from ansible_collections.closet.inference.plugins.module_utils.models import authority
from ansible_collections.closet.inference.plugins.plugin_utils import sudo_password, this_run
from ansible_collections.closet.inference.plugins.plugin_utils.connection import reach, unreachable
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    profile_choice as choice,
)
from ansible_collections.closet.inference.plugins.plugin_utils.probe import facts as mac
from ansible_collections.closet.inference.plugins.plugin_utils.probe import (
    homes,
    linux,
    memory,
    memory_plan,
    obstacles,
    person,
    rivals,
    space,
)
from ansible_collections.closet.inference.plugins.plugin_utils.probe import script as look
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import keys as tailnet_keys
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import nodes as tailnet


class ActionModule(ActionBase):
    """Gathers, judges, changes nothing."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(
        (
            "minimum_macos",
            "is_client",
            "offer",
            "candidates",
            "wired",
            "hub",
            "ca_bundle",
            "shape",
            "on_battery",
            "account",
            "person",
            "tailnet",
        )
    )

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the facts and `problems`, one sentence for each reason this Mac cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        name = str(variables["inventory_hostname"])
        address = str(variables.get("ansible_host", name))
        offer = self._task.args.get("offer") or {}
        account = str(self._task.args.get("account") or "")
        node = self._task.args.get("tailnet") or {}
        hub = str(self._task.args.get("hub") or "")
        is_client = bool(self._task.args.get("is_client", False))
        of_person = str(self._task.args.get("person") or "") if is_client else None
        command = look.text(offer, hub, account, bool(node), of_person)
        try:
            done = self._low_level_execute_command(
                look.SHELL,
                sudoable=False,
                executable="/bin/sh",
                in_data=look.as_input(command).encode(),
            )
        except AnsibleConnectionFailure as err:
            sentence = unreachable.sentence(name, self._way(address), str(err.message))
            result.update(unreachable=True, msg=sentence)
            return result
        facts = mac.parse(done["stdout"])
        has_password = bool(sudo_password.given(self, variables)[0])
        problems = self._problems(name, facts, has_password, bool(offer), bool(node))
        if not facts.complete:
            said = reach.cut_off(
                name, self._way(address), done["rc"], done["stdout"], done["stderr"]
            )
            problems.insert(0, said)
        if facts.complete and facts.sudo is False and facts.has_sudo is not False and has_password:
            wrong = sudo_password.objection(self, variables, facts.user or "", facts.kernel or "")
            problems += [wrong] if wrong else []
        told = {}
        is_mac = facts.kernel != "Linux"
        no_key = tailnet_keys.objection(facts.tailnet, node) if facts.complete and is_mac else None
        problems += [no_key] if no_key else []
        warnings = tailnet.left_over(name, facts.tailscale, node)
        if facts.complete and is_client:
            warnings += person.warnings(name, facts.person, _opencode(facts))
        ca_bundle = str(self._task.args.get("ca_bundle") or "")
        if offer and ca_bundle:
            problems += filter(None, [authority.objection(name, ca_bundle)])
        if offer and is_mac:
            shape = str(self._task.args.get("shape", "appliance"))
            problems += filter(
                None,
                [mac.laptop_closet(name, facts, shape), mac.no_account(name, facts, account)],
            )
            on_battery = str(self._task.args.get("on_battery", "nothing"))
            warnings += mac.remarks(name, facts, on_battery)
            warnings += rivals.warnings(name, facts.rivals, int(offer["port"]))
        if offer and facts.complete and facts.memory_mb is not None:
            told = _sizes(facts, offer)
            found, lines = self._closet(name, facts, offer, told)
            problems += found
            result["memory"] = lines
        run, closets = this_run.invocation(), len((variables.get("groups") or {}).get("closet", ()))
        unsettled = offer and choice.objection(
            name, facts.record, offer, lambda profile: run.choose(profile, name, closets)
        )
        objection = consent.objection(name, facts.consent_modes, facts.consent)
        wants_lan = offer.get("exposure") == "lan"
        result.update(
            changed=False,
            problems=problems,
            # apart from the others: the playbook that asks for consent has to get past it
            consent_problems=(
                [consent.sentence(name, objection, run.expose(name, closets))]
                if objection and wants_lan and is_mac
                else []
            ),
            # nor does it have to wait for this
            choice_problems=[unsettled] if unsettled else [],
            lan_confirmed=objection is None,
            warnings=warnings,
            sizes_gb=told,
            **mac.plain(facts),
        )
        result["account"] = account or facts.user
        result["former_accounts"] = holders.former_accounts(
            facts.key_holders, str(result["account"])
        )
        if not account:
            result.update(
                account_uid=facts.uid,
                account_group=facts.group,
                account_gid=facts.gid,
                account_home=facts.home,
            )
        return result

    def _problems(
        self, name: str, facts: mac.Mac, has_password: bool, serves: bool, in_tailnet: bool
    ) -> list[str]:
        """Why nothing can be done on this host, whatever it shall be."""
        is_client = bool(self._task.args.get("is_client", False))
        offer = self._task.args.get("offer") or {}
        programs = space.wanted_programs(str(offer.get("backend", "")), is_client)
        is_linux = facts.kernel == "Linux"
        found = homes.problems(name, facts.places, is_linux, is_linux and facts.user == facts.group)
        user, account = facts.user or "", str(self._task.args.get("account") or "")
        found += obstacles.problems(name, user, facts.in_the_way, is_linux)
        found += obstacles.problems(name, account, facts.in_the_account_s_way, is_linux)
        found += space.problems(
            name, facts.disks, space.missing_programs(facts.installed, programs)
        )
        if not facts.complete:
            return found
        if is_linux:
            return linux.problems(name, facts, has_password, serves, in_tailnet) + found
        minimum_macos = str(self._task.args.get("minimum_macos", "14"))
        too_old = mac.too_old_to_serve(name, facts, offer, minimum_macos)
        found = [*filter(None, [too_old]), *found]
        return mac.problems(name, facts, minimum_macos, has_password) + found

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
        self, name: str, facts: mac.Mac, offer: Mapping[str, Any], told: Mapping[str, float]
    ) -> tuple[list[str], list[str]]:
        """What keeps this Mac from serving the offer, and the sums of its memory as a table."""
        wired = self._task.args.get("wired") or {}
        memory_mb = facts.memory_mb or 0
        reserve_gb = float(wired.get("reserve_gb") or 0)
        limit_mb = int(wired.get("limit_mb") or 0) or memory.wired_limit_mb(
            memory_mb, reserve_gb, facts.macos
        )
        wrong = memory.objection(
            name, memory_mb, limit_mb, bool(wired.get("may_be_lower")), reserve_gb, facts.macos
        )
        found = mac.closet_problems(name, facts, offer, str(offer.get("url_host", "")))
        found += filter(None, [wrong])
        if wrong:
            return found, []  # sums under a limit that is not set would mean nothing
        need = memory_plan.needs(offer, memory_mb, limit_mb, told)
        if not need.fits:
            others = [
                memory_plan.needs(one, memory_mb, limit_mb, told)
                for one in self._task.args.get("candidates") or []
            ]
            found.append(memory_plan.refusal(name, memory_mb, need, others, len(told)))
        return found, memory_plan.table(name, memory_mb, need, len(told))


def _opencode(facts: mac.Mac) -> str:
    """The version of the newest opencode that a run has installed, "" without one."""
    found = (one.partition("/") for one in facts.installed)
    return next((version for what, _slash, version in found if what == "opencode"), "")


def _sizes(facts: mac.Mac, offer: Mapping[str, Any]) -> dict[str, float]:
    """Sizes of the offer's weights that the hub told, now or when they were first served."""
    known = {**facts.record.get("sizes_gb", {}), **look.hub_sizes(facts.hub, offer["models"])}
    sources = {memory_plan.source_of(model) for model in offer["models"]}
    return {source: float(size) for source, size in sorted(known.items()) if source in sources}

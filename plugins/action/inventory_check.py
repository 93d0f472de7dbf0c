# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the whole inventory on the controller and refuse what cannot work, before any host is asked.

Documentation: plugins/modules/inventory_check.py.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    catalog,
    formats,
    laptop,
    names,
    offer,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    profile_choice as choice,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.origins import (
    Origins,
    extra_names,
)
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

ROLES = Path(__file__).resolve().parents[2] / "roles"
# libyaml's, where there is one: eight files in two milliseconds instead of thirty
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
VARS_SUFFIXES = (".yml", ".yaml", ".json")


class ActionModule(ActionBase):
    """Runs on the controller alone; no connection is made."""

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset(("models", "profiles", "profile", "closet"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return `offers` by closet host and `closet_of` by laptop, or fail with every problem."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        house = _House(task_vars or {}, self._task.args, extra_names(self._loader))
        check = self._task.check_mode
        beside = private.judged(house.folders, house.closets, house.run, check)
        problems = [
            *beside.problems,
            *this_run.problems_of_parts(),
            *house.problems_of_values(),
            *house.problems_of_groups(),
            *house.problems_of_names(),
            *house.problems_of_choice(),
        ]
        offers, more = house.offers()
        problems += more
        closet_of, more = house.closet_of(offers)
        problems += more
        net, more = house.tailnet(offers, closet_of)
        problems += more
        # whose files cannot be told from folders has nothing to read in them
        if not beside.problems:
            problems += house.problems_of_keys(closet_of, net.nodes)
            problems += house.problems_of_mcp()
        # nothing is mended for a run that is refused
        if not problems and not check:
            problems += private_files.mend(beside.repairs)
        if problems:
            result.update(failed=True, msg="\n".join(["Nothing was changed.", *problems]))
            return result
        result.update(
            changed=bool(beside.repairs),
            warnings=[*beside.warnings, *house.files_of_nobody()],
            offers={host: house.described(host, made) for host, made in offers.items()},
            candidates={host: house.candidates(host) for host in offers},
            closet_of=closet_of,
            reach=net.reach,
            tailnet=net.nodes,
            tailnet_policy=net.policy,
        )
        return result


class _House:
    """The inventory as one thing: its groups, its hosts' variables, its files."""

    def __init__(
        self, variables: Mapping[str, Any], args: Mapping[str, Any], extra: Collection[str]
    ) -> None:
        self.hostvars = variables["hostvars"]
        self.groups: Mapping[str, list[str]] = variables["groups"]
        self.sources = [
            Path(str(source)) for source in variables.get("ansible_inventory_sources", [])
        ]
        self.options = _options()
        folders = [source if source.is_dir() else source.parent for source in self.sources]
        self.raw = {host: self.hostvars.raw_get(host) for host in self._hosts}
        self.said = {host: Origins(raw, folders, extra) for host, raw in self.raw.items()}
        self.run = this_run.invocation()
        # of these, the defaults stand in for the values until they are mended
        self.wrong: set[tuple[str, str]] = set()
        self.models = args.get("models") or {}
        self.profiles = args.get("profiles") or {}
        # what this run asks for: playbooks/profile.yml -e profile=lean -e closet=attic
        self.asked = str(args.get("profile") or "")
        self.asked_for = str(args.get("closet") or "")

    @property
    def closets(self) -> list[str]:
        return list(self.groups.get("closet", []))

    @property
    def clients(self) -> list[str]:
        return list(self.groups.get("clients", []))

    @property
    def _hosts(self) -> list[str]:
        return [*self.closets, *self.clients]

    @property
    def folders(self) -> list[Path]:
        """The folders of the inventories that our hosts are in."""
        folders = (self._value(host, "inventory_dir", None) for host in self._hosts)
        return [Path(str(folder)) for folder in dict.fromkeys(filter(None, folders))]

    def problems_of_groups(self) -> Iterator[str]:
        where = ", ".join(str(source) for source in self.sources) or "the inventory"
        if not self.closets:
            yield f"{where} has no host in the group closet: name your Mac there"
        for name in sorted(set(self.closets) & set(self.clients)):
            yield f"{where} has {name} in both closet and clients: a Mac is one or the other"
        for name in sorted(set(constants.LOCALHOST) & set(self._hosts)):
            yield (
                f"{where}: {name} is Ansible's own name for the machine that it runs on, and no "
                "closet or laptop can have it: give that machine a name of its own, as in "
                "`air: {ansible_connection: local}`"
            )
        for name in self.closets:
            address = str(self._value(name, "ansible_host", name))
            if not formats.HOST.fits(str(self._url_host(name))):
                yield (
                    f"{where}: laptops cannot use {address} as the address of {name}, since it is "
                    "no host name and no IP address without a zone: set closet_url_host for it"
                )
        owner: dict[str, str] = {}
        for name in self._hosts:
            address = str(self._value(name, "ansible_host", name))
            other = owner.setdefault(names.same_host(address), name)
            if other != name:
                yield (
                    f"{where}: {name} and {other} have one address ({address}), "
                    "so one Mac would get two names"
                )

    def files_of_nobody(self) -> Iterator[str]:
        """Files of variables that Ansible never reads, since their name is no host's or group's."""
        for folder in self.folders:
            for part, known in (
                ("host_vars", self.groups.get("all", [])),
                ("group_vars", self.groups),
            ):
                for path in sorted((folder / part).glob("[!.]*")):
                    name = path.stem if path.suffix in VARS_SUFFIXES else path.name
                    hint = names.suggestion(name, known)
                    # a host's name may have dots; a README or a backup is no file of variables
                    if name not in known and (hint or path.suffix in ("", *VARS_SUFFIXES)):
                        yield (
                            f"{path} is read for no {part.partition('_')[0]}, since the inventory "
                            f"has none named {name}{hint}"
                        )

    def problems_of_names(self) -> Iterator[str]:
        prefixes = {path.name for path in ROLES.iterdir() if path.is_dir()} | {"closet"}
        seen: dict[str, str] = {}
        for host in self._hosts:
            # names only: nothing is templated, so this stays cheap with many hosts
            for name in self.said[host].names():
                seen.setdefault(name, host)
        for name in names.misspelled(seen, self.options, prefixes):
            place = self.said[seen[name]].place(name)
            hint = names.suggestion(name, self.options)
            yield f"{place}: no role knows the variable {name} (host {seen[name]}){hint}"

    def problems_of_values(self) -> list[str]:
        """What a role would meet only when others have changed; once for all hosts that have it."""
        hosts_of: dict[tuple[str, str], list[str]] = {}
        for host in self._hosts:
            said = self.said[host]
            for name in sorted(set(self.raw[host]) & set(self.options)):
                try:
                    value = self.hostvars[host].get(name)
                except AnsibleError:
                    continue  # made of what only the plays have: who takes it checks it
                for problem in formats.problems(name, self.options[name], value):
                    self.wrong.add((host, name))
                    hosts_of.setdefault((said.place(name), problem), []).append(host)
        return [
            f"{place or 'the inventory'} ({'host' if len(hosts) == 1 else 'hosts'} "
            f"{', '.join(hosts)}): {problem}"
            for (place, problem), hosts in hosts_of.items()
        ]

    def problems_of_choice(self) -> Iterator[str]:
        """A profile was asked for, and nobody can tell for which closet."""
        if self.asked_for and self.asked_for not in self.closets:
            hint = names.suggestion(self.asked_for, self.closets)
            yield f"closet={self.asked_for}: no host of the group closet has this name{hint}"
        elif self.asked and not self.asked_for and len(self.closets) > 1:
            yield (
                f"there are {len(self.closets)} closets ({', '.join(self.closets)}): say which one "
                f"shall have profile {self.asked}: "
                + " or ".join(f"`{self._choose(self.asked, host)}`" for host in self.closets)
            )

        for host in self.closets:
            folder = self._value(host, "inventory_dir", None)
            asked = self.asked and self.asked_for in ("", host)
            if folder and not asked:  # which is written there
                path = choice.path_of(folder, host)
                command = self._choose(str(self._value(host, "closet_profile", "default")), host)
                yield from filter(None, [choice.unreadable(path, command)])

    def _choose(self, profile: str, host: str) -> str:
        return self.run.choose(profile, host, len(self.closets))

    def wanted_profile(self, host: str) -> choice.Wanted:
        """The profile that a closet shall have: asked for, chosen before, or the inventory's."""
        said = str(self._value(host, "closet_profile", "default"))
        asked = self.asked if self.asked_for in ("", host) else ""
        folder = self._value(host, "inventory_dir", None)
        kept = choice.read(choice.path_of(folder, host)) if folder else None
        return choice.settle(said, asked, kept)

    def described(self, host: str, made: offer.Offer) -> dict[str, Any]:
        """An offer with who wants it."""
        wanted = self.wanted_profile(host)
        return {
            **made.as_dict(),
            "url_host": str(self._url_host(host)),
            "chosen": wanted.chosen,
            "remembered": wanted.remembered,
            "inventory_profile": str(self._value(host, "closet_profile", "default")),
        }

    def candidates(self, host: str) -> list[dict[str, Any]]:
        """Every profile that can be offered, to name one that fits when the wanted does not."""
        found = []
        for name in self._profiles(host):
            try:
                found.append(self._offer(host, name).as_dict())
            except catalog.OfferError:
                continue  # a profile that nobody asked for may wait to be mended
        return found

    def offers(self) -> tuple[dict[str, offer.Offer], list[str]]:
        made: dict[str, offer.Offer] = {}
        problems: list[str] = []
        for host in self.closets:
            try:
                made[host] = self._offer(host, self.wanted_profile(host).profile)
            except catalog.OfferError as err:
                problems.append(str(err))
        return made, problems

    def _offer(self, host: str, profile: str) -> offer.Offer:
        wanted = {
            "profile": profile,
            "exposure": self._value(host, "closet_exposure", "loopback"),
            "port": self._value(host, "closet_port", 8000),
            "url_host": self._url_host(host),
            "revisions": self._value(host, "closet_revisions", {}),
        }
        models = {**self.models, **self._value(host, "closet_models", {})}
        return offer.plan(host, wanted, models, self._profiles(host))

    def _profiles(self, host: str) -> dict[str, Any]:
        return {**self.profiles, **self._value(host, "closet_profiles", {})}

    def _url_host(self, host: str) -> Any:
        return self._value(host, "closet_url_host", self._value(host, "ansible_host", host))

    def tailnet(
        self, offers: Mapping[str, offer.Offer], closet_of: Mapping[str, str]
    ) -> tuple[tailnet_plan.Plan, list[str]]:
        """The house's tailnet, if it has one, and how each laptop reaches its closet."""
        groups = {"closet": self.closets, "clients": self.clients}
        words = set(tailnet.WORDS)
        said = {
            host: {name: self._value(host, name, None) for name in words & set(self.raw[host])}
            for hosts in groups.values()
            for host in hosts
        }
        reached = {host: (made.exposure, made.port) for host, made in offers.items()}
        folder = self._value(self.closets[0], "inventory_dir", ".") if self.closets else "."
        return tailnet_plan.plan(
            tailnet_plan.Inventory(said, groups, closet_of, reached, Path(str(folder)) / SECRETS)
        )

    def problems_of_keys(
        self, closet_of: Mapping[str, str], in_tailnet: Container[str]
    ) -> list[str]:
        """Keys that could not be used: the inventory's own, and those in their files."""
        found: list[str] = []
        for closet in self.closets:
            laptops = [laptop for laptop, its in closet_of.items() if its == closet]
            given = keys.given(self.hostvars, closet, laptops)
            store = KeyStore(Path(str(self._value(closet, "inventory_dir", "."))) / SECRETS, closet)
            exposure = self._value(closet, "closet_exposure", "loopback")
            alone = exposure != "lan" and closet not in in_tailnet
            if alone and given.get(keys.MAIN) == "":
                continue  # nobody but the closet itself can ask, so it may go without
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
            found += keys.problems({**brought, **stored}, stored)
            found += keys.unusable_names(closet, laptops)
        return found

    def problems_of_mcp(self) -> list[str]:
        """MCP servers that no client could use, and secrets that are nowhere."""
        declared = {
            host: mcp.Declared(
                servers=self._value(host, "mcp_servers", {}),
                secrets=mcp.Secrets(
                    self._value(host, "mcp_secrets", {}),
                    Path(str(self._value(host, "inventory_dir", "."))) / SECRETS,
                ),
                closet=host in self.closets,
            )
            for host in self._hosts
        }
        return mcp.problems(declared)

    def closet_of(self, offers: Mapping[str, offer.Offer]) -> tuple[dict[str, str], list[str]]:
        chosen: dict[str, str] = {}
        problems: list[str] = []
        for client in self.clients:
            closet = self._value(client, "closet_host", self.closets[0] if self.closets else "")
            if len(self.closets) > 1 and not self._value(client, "closet_host", ""):
                problems.append(
                    f"{client}: there are {len(self.closets)} closets ({', '.join(self.closets)}): "
                    "say which one it uses with closet_host"
                )
                continue
            if closet and closet not in self.closets:
                problems.append(
                    f"{client}: closet_host is '{closet}', which is not in the group closet"
                    f"{names.suggestion(closet, self.closets)}"
                )
                continue
            chosen[client] = closet
            if closet in offers:
                wants = {name: self._value(client, name, None) for name in laptop.WANTS}
                problems += laptop.problems(client, wants, offers[closet])
        return chosen, problems

    def _value(self, host: str, name: str, default: Any) -> Any:
        """A variable of a host, as its type; the default where the value has been complained of."""
        if (host, name) in self.wrong:
            return default
        value = self.hostvars[host].get(name)
        if value is None:
            return default
        return formats.converted(self.options[name], value) if name in self.options else value


def _options() -> dict[str, dict[str, Any]]:
    """Every public variable of our roles with its specification."""
    known: dict[str, dict[str, Any]] = {}
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        document = yaml.load(path.read_text(), Loader=SAFE_LOADER)
        for entry in document["argument_specs"].values():
            known.update(entry.get("options", {}))
    return known

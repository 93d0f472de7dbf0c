# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which profile each closet serves, what is in it, and which closet each laptop uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    catalog,
    laptop,
    names,
    profile_choice,
    serving,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation


class Profiles:
    """The profiles of an inventory, and what this run asks for."""

    def __init__(self, inventory: Inventory, run: Invocation, args: Mapping[str, Any]) -> None:
        self._inventory = inventory
        self._value = inventory.value
        self._closets = inventory.closets
        self._run = run
        self._models = args.get("models") or {}
        self._profiles = args.get("profiles") or {}
        # as in playbooks/profile.yml -e profile=lean -e closet=attic
        self._asked = str(args.get("profile") or "")
        self._asked_closet = str(args.get("closet") or "")

    @property
    def names(self) -> list[str]:
        """The profiles of the collection."""
        return list(self._profiles)

    def choice_errors(self) -> Iterator[str]:
        """A profile that was asked for without a closet, and a choice that cannot be read."""
        if self._asked_closet and self._asked_closet not in self._closets:
            hint = names.suggestion(self._asked_closet, self._closets)
            yield f"closet={self._asked_closet}: no host of the group closet has this name{hint}"
        elif self._asked and not self._asked_closet and len(self._closets) > 1:
            yield (
                f"there are {self._listed()}: say which one gets profile {self._asked}: "
                + " or ".join(f"`{self._choose(self._asked, host)}`" for host in self._closets)
            )

        for host in self._closets:
            folder = self._value(host, "inventory_dir", None)
            asked = self._asked and self._asked_closet in ("", host)
            if folder and not asked:  # which is written there
                path = profile_choice.path_of(folder, host)
                command = self._choose(self._of_inventory(host), host)
                yield from filter(None, [profile_choice.unreadable(path, command)])

    def _listed(self) -> str:
        return f"{len(self._closets)} closets ({', '.join(self._closets)})"

    def _choose(self, profile: str, host: str) -> str:
        return self._run.choose(profile, host, len(self._closets))

    def wanted_profile(self, host: str) -> profile_choice.Wanted:
        """The profile that a closet is to serve: asked for, chosen before, or the inventory's."""
        asked = self._asked if self._asked_closet in ("", host) else ""
        folder = self._value(host, "inventory_dir", None)
        kept = profile_choice.read(profile_choice.path_of(folder, host)) if folder else None
        return profile_choice.settle(self._of_inventory(host), asked, kept)

    def described(self, host: str, made: serving.Serving) -> dict[str, Any]:
        """A serving configuration with who wants it."""
        wanted = self.wanted_profile(host)
        return {
            **made.as_dict(),
            "url_host": str(self._inventory.url_host(host)),
            "chosen": wanted.chosen,
            "remembered": wanted.remembered,
            "inventory_profile": self._of_inventory(host),
        }

    def candidates(self, host: str) -> list[dict[str, Any]]:
        """Every profile that can be served, to name one that fits when the wanted does not."""
        found = []
        for name in self._profiles_of(host):
            try:
                found.append(self._serving(host, name).as_dict())
            except catalog.OfferError:
                continue  # its error is for those who ask for it
        return found

    def servings(self) -> tuple[dict[str, serving.Serving], list[str]]:
        """What each closet serves, by its name, and errors."""
        made: dict[str, serving.Serving] = {}
        errors: list[str] = []
        for host in self._closets:
            try:
                made[host] = self._serving(host, self.wanted_profile(host).profile)
            except catalog.OfferError as err:
                errors.append(str(err))
        return made, errors

    def _of_inventory(self, host: str) -> str:
        return str(self._value(host, "closet_profile", "default"))

    def _serving(self, host: str, profile: str) -> serving.Serving:
        wanted = {
            "profile": profile,
            "exposure": self._value(host, "closet_exposure", "loopback"),
            "port": self._value(host, "closet_port", 8000),
            "url_host": self._inventory.url_host(host),
            "revisions": self._value(host, "closet_revisions", {}),
        }
        models = {**self._models, **self._value(host, "closet_models", {})}
        return serving.plan(host, wanted, models, self._profiles_of(host))

    def _profiles_of(self, host: str) -> dict[str, Any]:
        return {**self._profiles, **self._value(host, "closet_profiles", {})}

    def closet_of(
        self, servings: Mapping[str, serving.Serving]
    ) -> tuple[dict[str, str], list[str]]:
        """The closet of each laptop, by its name, and errors."""
        chosen: dict[str, str] = {}
        errors: list[str] = []
        first = self._closets[0] if self._closets else ""
        for client in self._inventory.clients:
            closet = self._value(client, "closet_host", first)
            if len(self._closets) > 1 and not self._value(client, "closet_host", ""):
                errors.append(
                    f"{client}: there are {self._listed()}: say which one it uses with closet_host"
                )
                continue
            if closet and closet not in self._closets:
                errors.append(
                    f"{client}: closet_host is '{closet}', which is not in the group closet"
                    f"{names.suggestion(closet, self._closets)}"
                )
                continue
            chosen[client] = closet
            if closet in servings:
                wants = {name: self._value(client, name, None) for name in laptop.WANTS}
                errors += laptop.errors(client, wants, servings[closet])
        return chosen, errors

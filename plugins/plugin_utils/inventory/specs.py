# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications: what an owner can set, in the inventory or with -e."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
PLAYBOOKS = ROOT / "playbooks"
# libyaml's, where there is one: eight files in two milliseconds instead of thirty
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Options = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Specs:
    """The options of all roles by name, and the playbooks' own, which -e gives, by playbook."""

    options: Options
    of_playbooks: dict[str, Options]

    @property
    def extra(self) -> Options:
        """The options of all playbooks by name."""
        return {name: spec for book in self.of_playbooks.values() for name, spec in book.items()}


def read() -> Specs:
    """All of them. An entry of the role closet that is named as a playbook is this playbook's."""
    options: Options = {}
    of_playbooks: dict[str, Options] = {}
    for path in ROLES.glob("*/meta/argument_specs.yml"):
        document = yaml.load(path.read_text(), Loader=SAFE_LOADER)
        for name, entry in document["argument_specs"].items():
            if path.parent.parent.name == "closet" and (PLAYBOOKS / f"{name}.yml").exists():
                of_playbooks[name] = entry["options"]
            else:
                options.update(entry.get("options", {}))
    return Specs(options, of_playbooks)

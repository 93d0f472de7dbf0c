# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the backends: roles/closet/vars/main/backends.yml, which the plays read too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TABLE = Path(__file__).parents[3] / "roles/closet/vars/main/backends.yml"


@dataclass(frozen=True)
class Backend:
    """What a backend needs on a closet and can serve; the table explains each."""

    name: str
    services: tuple[str, ...]
    kinds: tuple[str, ...]
    source: str  # repo | tag
    macos: str
    disk_mb: Mapping[str, int]
    models: int | None = None


@cache
def backends() -> Mapping[str, Backend]:
    """The backends by name, the default one first."""
    return parse(yaml.safe_load(TABLE.read_text(encoding="utf-8"))["closet_backends"])


def parse(table: Mapping[str, Any]) -> Mapping[str, Backend]:
    """The backends of a table; raises TypeError for a key too many or too few."""
    return {
        name: Backend(
            name=name,
            **{
                **row,
                "services": tuple(row["services"]),
                "kinds": tuple(row["kinds"]),
                "macos": str(row["macos"]),
            },
        )
        for name, row in table.items()
    }

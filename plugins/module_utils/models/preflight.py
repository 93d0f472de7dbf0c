# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would fail after hours of fetching, said before the first byte."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.models.plan import ModelPlan, in_gb
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    existing_ancestor,
)
from ansible_collections.closet.inference.plugins.module_utils.models.weights import weight_paths

IN_MEMORY = 1.05  # omlx's own estimate over the bytes of the weights (model_discovery.py)


def check_writable(folders: Iterable[Path]) -> None:
    """Each folder, or the nearest one above it that exists, takes new files from us."""
    effective = os.access in os.supports_effective_ids
    for folder in folders:
        place = existing_ancestor(folder)
        if not place.is_dir():
            raise ModelError(f"{place} is not a folder; {folder} cannot be made there.")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=effective):
            raise ModelError(
                f"uid {os.geteuid()} may not write into {place}, where the models go. Look "
                f"at it with: `ls -lde {shlex.quote(str(place))}`"
            )


def check_memory(plans: Sequence[ModelPlan], ceiling: int | None) -> None:
    """A model that no server on this host could load is not worth its download."""
    if ceiling is None:
        return
    for plan in plans:
        weights = weight_bytes(plan)
        if weights * IN_MEMORY > ceiling:
            raise ModelError(
                f"{plan.want.title} needs {in_gb(int(weights * IN_MEMORY))} of memory (its weights "
                f"are {in_gb(weights)}), and the models of this host may use {in_gb(ceiling)}. It "
                "would be refused at each load: take it out, or a smaller quantization of it."
            )


def weight_bytes(plan: ModelPlan) -> int:
    sizes = {file.entry.path: file.entry.size for file in plan.files or ()}
    return sum(sizes[path] for path in weight_paths(sizes))

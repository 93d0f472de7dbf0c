# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a repository are the model, as its server loads it. Pure: paths only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<kind>\.\w+)")
INDEX_SUFFIX = ".index.json"


def weight_paths(paths: Iterable[str]) -> frozenset[str]:
    """The weights: safetensors at the top, else .bin there, else safetensors in folders.

    That is omlx's own order (model_discovery.py); mlx_lm knows the first kind only.
    """
    all_paths = frozenset(paths)
    top = [path for path in all_paths if "/" not in path]
    for found in (
        [path for path in top if path.endswith(".safetensors")],
        [path for path in top if path.endswith(".bin")],
        [path for path in all_paths if path.endswith(".safetensors")],
    ):
        if found:
            return frozenset(found)
    return frozenset()


def missing_by_name(paths: Collection[str]) -> tuple[str, ...]:
    """Shards that the names of their neighbours promise (…-00001-of-00003) and `paths` lacks.

    Only where no index says which shards there are.
    """
    missing: set[str] = set()
    for path in weight_paths(paths):
        shard = SHARD.fullmatch(path)
        if shard is None or f"{shard['stem']}{shard['kind']}{INDEX_SUFFIX}" in paths:
            continue
        named = (
            f"{shard['stem']}-{number:05}-of-{shard['total']}{shard['kind']}"
            for number in range(1, int(shard["total"]) + 1)
        )
        missing.update(name for name in named if name not in paths)
    return tuple(sorted(missing))


def is_whole(paths: Collection[str]) -> bool:
    """Whether a list of files can be all of a model."""
    return bool(weight_paths(paths)) and not missing_by_name(paths)

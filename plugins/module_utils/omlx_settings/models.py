# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model settings to send to a running omlx, and whether it has these models.

omlx reads its folders at its start, and later only on request. It does not notice models that are
downloaded, repaired or removed after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

INDEX = "model.safetensors.index.json"
WeightsOf = Mapping[str, Optional[int]]
"""Bytes of weights on the disk by model; None for a model that is not there."""


@dataclass(frozen=True)
class Listed:
    """A model as the running server lists it: its folder, and bytes of weights (0: not told)."""

    settings: Mapping[str, Any]
    path: str = ""
    size: int = 0


@dataclass(frozen=True)
class Change:
    """The keys to send for one model, and what they were; None clears a key."""

    model: str
    keys: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def pins(self) -> bool:
        """Whether the change pins the model; omlx then loads it only on request."""
        return self.keys.get("is_pinned") is True


def plan(wanted: Mapping[str, Mapping[str, Any]], have: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes for the server that has `have`, settings by model.

    Nothing for a server of other models: a restart brings it the wanted ones, and telling the old
    ones would be for nothing. Only what differs is sent, since omlx unloads a model for some keys
    even when they are what they were.
    """
    if set(wanted) != set(have):
        return ()
    changes = []
    for model, keys in wanted.items():
        now = have[model] or {}
        differs = {key: value for key, value in keys.items() if not _same(now.get(key), value)}
        if differs:
            changes.append(Change(model, differs, {key: now.get(key) for key in differs}))
    return tuple(changes)


def names(changes: Iterable[Change]) -> list[str]:
    """The settings that the changes are about, by name."""
    return [f"models.{change.model}.{key}" for change in changes for key in change.keys]


def _same(now: Any, wanted: Any) -> bool:
    # a missing flag is off
    if isinstance(wanted, bool):
        return bool(now) == wanted
    return bool(now == wanted)


def listed(row: Mapping[str, Any]) -> Listed:
    """From a row of /admin/api/models or /v1/models/status."""
    size = row.get("estimated_size")
    return Listed(
        row.get("settings") or {},
        str(row.get("model_path") or ""),
        int(size) if isinstance(size, (int, float)) else 0,
    )


def outdated(have: Mapping[str, Listed], disk: WeightsOf, gone: Iterable[str]) -> list[str]:
    """In what the list that the server made at its start differs from the disk, as words.

    `disk` holds the wanted models, `gone` the listed ones whose folders are no longer there. A
    wanted model that is on no disk is no reason: to read it anew would not bring it.
    """
    found = []
    for model, weights in sorted(disk.items()):
        if weights is None:
            continue
        if model not in have:
            found.append(f"{model} came after it was started")
        elif 0 < have[model].size < weights:
            found.append(f"{model} was not complete when it was started")
    return found + [f"{model} went after it was started" for model in sorted(gone)]


def weights_on_disk(wanted: Iterable[str], folders: Sequence[str]) -> dict[str, int | None]:
    """What omlx would count at a start, of models that are directly in its folders."""
    return {model: _weights(model, folders) for model in wanted}


def vanished(have: Mapping[str, Listed]) -> list[str]:
    """The listed models whose folders are gone; an unreadable folder is not gone."""
    return [model for model, row in have.items() if row.path and not _is_there(Path(row.path))]


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _weights(model: str, folders: Sequence[str]) -> int | None:
    """The safetensors; 0 for a model whose size is not judged, since omlx counts it otherwise.

    Some versions take the sum from the index of the shards, whatever is there, and an index may
    leave out files (model_discovery.py of flyto-mlx 0.7.0).
    """
    for folder in folders:
        home = Path(folder, model)
        try:
            (home / "config.json").stat()
            files = list(home.iterdir())
            if any(one.name == INDEX for one in files):
                return 0
            return sum(one.stat().st_size for one in files if one.suffix == ".safetensors")
        except OSError:
            continue
    return None

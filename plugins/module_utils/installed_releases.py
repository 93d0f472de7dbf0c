# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Complete releases side by side in one folder: which of them may go.

One that is removed loses its mark of completeness first, so that a run that is cut off in between
leaves one that is known to be incomplete.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import build_lock
from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.files import remove_file
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

OURS = ".closet.inference"
COMPLETE = ".complete"
OPTIONS = {
    "path": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["present", "pruned", "absent"],
        "default": "present",
    },
    "keep": {"type": "int", "default": 1},
    "keep_first": {"type": "str"},
}
"""Of the modules that keep releases; doc_fragments/releases.py documents them."""


@dataclass(frozen=True)
class Installed:
    """One release; `completed` is when, None while it is not."""

    path: str
    completed: float | None


def installed_beside(path: str) -> list[Installed]:
    """The releases beside `path` that were installed here, and `path` itself."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for entry in sorted(Path(path).parent.iterdir()):
            if entry.is_dir() and not entry.is_symlink() and (entry / OURS).exists():
                found.append(Installed(str(entry), _completed(entry)))
    return found


def plan_prune(
    path: str, releases: Sequence[Installed], keep: int, first: str = ""
) -> tuple[str, ...]:
    """What may go: all but `path` and `keep` others, `first` before those completed last."""
    others = [one for one in releases if one.path != path]
    complete = sorted(
        (one for one in others if one.completed is not None),
        key=lambda one: (one.path == first, one.completed or 0.0, one.path),
        reverse=True,
    )
    kept = {one.path for one in complete[:keep]}
    return tuple(one.path for one in others if one.path not in kept)


def plan_absent(path: str, releases: Sequence[Installed]) -> tuple[str, ...]:
    """What has to go so that there is nothing at `path`."""
    return tuple(one.path for one in releases if one.path == path)


def remove_releases(params: Mapping[str, Any], runner: Runner, check_mode: bool) -> dict[str, Any]:
    """Remove what `state` (absent, pruned) and `keep` leave no room for; what a task says of it."""
    path = str(params["path"])

    def plan() -> tuple[str, ...]:
        if params["state"] == "absent":
            return plan_absent(path, installed_beside(path))
        first = params.get("keep_first") or ""
        return plan_prune(path, installed_beside(path), int(params["keep"]), first)

    planned = plan()
    if check_mode:
        return result(path, planned)
    gone: list[str] = []
    warnings: list[str] = []
    # old releases are not waited for: whoever builds one has a use for it
    wait_s = build_lock.WAIT_S if params["state"] == "absent" else 0.0
    for one in planned:
        try:
            with build_lock.held(one, "remove it", runner, wait_s) as lock:
                warnings += lock.warnings
                if one in plan():  # it may have become complete, or be gone
                    _remove(one)
                    gone.append(one)
        except build_lock.LockedError as error:
            if params["state"] == "absent":
                raise
            warnings.append(f"{one} stays: {error}")
    return {**result(path, gone), **({"warnings": warnings} if warnings else {})}


def _remove(path: str) -> None:
    """Remove one whose lock we hold, in a way that the next run can finish."""
    remove_file(Path(path, COMPLETE))
    shutil.rmtree(path)


def result(path: str, gone: Sequence[str]) -> dict[str, Any]:
    """What a task says about it."""
    return {
        "changed": bool(gone),
        "steps": [f"remove {os.path.basename(one)}" for one in gone],  # noqa: PTH119
        "diff": text_diff(str(Path(path).parent), "".join(f"{one}\n" for one in gone), ""),
    }


def _completed(folder: Path) -> float | None:
    try:
        return (folder / COMPLETE).stat().st_mtime
    except FileNotFoundError:
        return None

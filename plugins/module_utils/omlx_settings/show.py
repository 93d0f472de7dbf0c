# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of omlx_settings changes, as a diff for people, without what is secret; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.filediff import (
    Diff,
    text_diff,
    words_diff,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.found import (
    FILE_MODE,
    FOLDER_MODE,
    SETTINGS,
    Found,
    Owner,
    attributes_differ,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.models import Change
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    Planned,
    masked,
    secret_changes,
)


def diffs(
    folder: Path,
    folder_now: Found | None,
    folder_differs: bool,
    steps: list[str],
    have: Mapping[str, Found],
    planned: Planned,
    owner: Owner,
) -> list[Diff]:
    """One diff for each file or folder that changes."""
    told = []
    if folder_differs:
        told.append(_attribute_diff(str(folder), folder_now, FOLDER_MODE, owner))
    for name in steps:
        path = str(folder / name)
        old, new = have[name], planned.settings if name == SETTINGS else planned.models
        before, after = masked(old.document), masked(new)
        if old.broken:
            before = f"(not JSON, {len(old.data or b'')} bytes, not shown)\n"
        if name == SETTINGS:
            after += "".join(
                f"{key}: changed, not shown\n" for key in secret_changes(old.document, new)
            )
        if before != after:
            header = path if old.data is not None else f"{path} (absent)"
            told.append({**text_diff(path, before, after), "before_header": header})
        if old.data is not None and attributes_differ(old, FILE_MODE, owner):
            told.append(_attribute_diff(path, old, FILE_MODE, owner))
    return told


def live_diffs(changes: Iterable[Change]) -> list[Diff]:
    """One diff for each model whose settings change in the running server."""
    return [
        text_diff(
            f"the running omlx, {change.model}",
            json.dumps(change.before, indent=2, sort_keys=True) + "\n",
            json.dumps(change.keys, indent=2, sort_keys=True) + "\n",
        )
        for change in changes
    ]


def _attribute_diff(path: str, have: Found | None, mode: int, owner: Owner) -> Diff:
    before: dict[str, str] = {}
    if have is not None:
        before = {"mode": f"{have.mode:04o}", "uid": str(have.uid), "gid": str(have.gid)}
    after = {**before, "mode": f"{mode:04o}"}
    if owner.uid is not None:
        after["uid"] = str(owner.uid)
    if owner.gid is not None:
        after["gid"] = str(owner.gid)
    return words_diff(path, "attributes", before, after)

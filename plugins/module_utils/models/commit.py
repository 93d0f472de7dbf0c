# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a fully fetched model into the model: one short moment, safe to be cut off anywhere."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import remove_file, sync_folder
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import write_manifest
from ansible_collections.closet.inference.plugins.module_utils.models.plan import Have, ModelPlan
from ansible_collections.closet.inference.plugins.module_utils.models.remains import remove_files
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    MANIFEST_NAME,
)
from ansible_collections.closet.inference.plugins.module_utils.models.steps import step
from ansible_collections.closet.inference.plugins.module_utils.models.store import part_path


def commit(folder: Path, plan: ModelPlan) -> None:
    """Superseded files go, new ones take their names, the manifest comes last.

    The old manifest goes before the first new file arrives: cut off in between, the next run finds
    files without a manifest and proves each of them, instead of trusting a list of other contents.
    """
    remove_files(folder, plan.stale)
    if plan.fetch:
        with step("the old record of a model was removed", folder / MANIFEST_NAME):
            remove_file(folder / MANIFEST_NAME)
    for file in plan.fetch:
        final = folder / file.entry.path
        with step("a file took its name", final):
            if file.have is not Have.GOOD and part_path(final).exists():
                part_path(final).replace(final)
    for parent in {(folder / file.entry.path).parent for file in plan.files or ()}:
        with step("a folder was brought to the disk", parent):
            sync_folder(parent)
    write_manifest(folder, plan.manifest())
    remove_files(folder, [file.entry.path + JOURNAL_SUFFIX for file in plan.files or ()])


def read_staged(final: Path) -> bytes:
    """A file's content, committed or not yet."""
    staged = part_path(final)
    return (staged if staged.exists() else final).read_bytes()

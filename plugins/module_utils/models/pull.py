# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch and commit the models of a host, each on its own: one flawed repository stops no other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import remove_file, sync_folder
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import write_manifest
from ansible_collections.closet.inference.plugins.module_utils.models.orphans import remove_files
from ansible_collections.closet.inference.plugins.module_utils.models.peers import FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    Have,
    ModelPlan,
    index_warning,
    is_index,
)
from ansible_collections.closet.inference.plugins.module_utils.models.planner import jobs_of
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    JOURNAL_SUFFIX,
    MANIFEST_NAME,
    FlawError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.steps import step
from ansible_collections.closet.inference.plugins.module_utils.models.store import part_path


@dataclass
class Findings:
    """What is wrong with repositories: flaws by served name, and what only needs a word."""

    flaws: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def about(self, model: ModelPlan) -> Iterator[None]:
        try:
            yield
        except FlawError as flaw:
            self.flaws[model.want.name] = str(flaw)


class ModelPuller:
    """Brings what was planned; the Fetcher is needed where bytes are missing."""

    def __init__(self, request: Request, fetcher: Fetcher | None) -> None:
        self._request = request
        self._fetcher = fetcher
        self.found = Findings()

    def pull(self, models: Sequence[ModelPlan]) -> None:
        """Shard indexes of all models first: they tell whether a repository is whole."""
        for model in filter(lambda each: each.incomplete, models):
            with self.found.about(model):
                self._fetch([job for job in self._jobs(model) if is_index(job.entry.path)])
                self._check_indexes(model)
        for model in models:
            if model.want.name not in self.found.flaws:
                with self.found.about(model):
                    self._fetch([job for job in self._jobs(model) if not is_index(job.entry.path)])
                    if model.incomplete or model.record:
                        commit(self._request.store / model.want.repo, model)

    def _jobs(self, model: ModelPlan) -> list[FileJob]:
        return jobs_of(self._request, model)

    def _fetch(self, jobs: list[FileJob]) -> None:
        if self._fetcher is not None and jobs:
            self._fetcher.fetch(jobs)

    def _check_indexes(self, model: ModelPlan) -> None:
        folder = self._request.store / model.want.repo
        paths = [file.entry.path for file in model.files or ()]
        for path in filter(is_index, paths):
            warning = index_warning(model.want, path, read_staged(folder / path), paths)
            if warning:
                self.found.warnings.append(warning)


def pull_models(
    request: Request, models: Sequence[ModelPlan], tools: Tools, progress: Progress
) -> Findings:
    if not any(jobs_of(request, model) for model in models):
        puller = ModelPuller(request, None)
        puller.pull(models)
        return puller.found
    with contextlib.closing(tools.carry()) as hub:
        puller = ModelPuller(request, Fetcher(hub, request.connections, progress, tools.peers))
        puller.pull(models)
        return puller.found


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

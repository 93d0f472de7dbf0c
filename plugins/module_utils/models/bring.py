# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch and commit the models of a host, each on its own: one flawed repository stops no other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.closet.inference.plugins.module_utils.models.commit import (
    commit,
    read_staged,
)
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher
from ansible_collections.closet.inference.plugins.module_utils.models.plan import (
    ModelPlan,
    index_warning,
    is_index,
)
from ansible_collections.closet.inference.plugins.module_utils.models.planner import jobs_of
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.repo import FlawError
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.sources import FileJob


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


class Bringer:
    """Brings what was planned; the Fetcher is needed where bytes are missing."""

    def __init__(self, request: Request, fetcher: Fetcher | None) -> None:
        self._request = request
        self._fetcher = fetcher
        self.found = Findings()

    def bring(self, models: Sequence[ModelPlan]) -> None:
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


def bring_in(
    request: Request, models: Sequence[ModelPlan], tools: Tools, progress: Progress
) -> Findings:
    if not any(jobs_of(request, model) for model in models):
        bringer = Bringer(request, None)
        bringer.bring(models)
        return bringer.found
    with contextlib.closing(tools.carry()) as hub:
        bringer = Bringer(request, Fetcher(hub, request.connections, progress, tools.peers))
        bringer.bring(models)
        return bringer.found

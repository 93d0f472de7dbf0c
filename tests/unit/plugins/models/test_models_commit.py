# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts in the short moment in which files take their names."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models import (
    converge as converge_module,
)
from tests.unit.plugins.models.bench import REPO, Bench, served_files, tiny_model


class Cut(BaseException):
    """The power goes."""


STEPS_OF_A_COMMIT = ["remove_files", "remove_file", "sync_folder", "write_manifest"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS_OF_A_COMMIT)
def test_an_update_cut_off_in_its_commit_is_finished_by_the_next_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Old and new have files of equal size: only the manifest's absence tells them apart."""
    bench.hub.publish(REPO, tiny_model(0))
    bench.run()
    new = tiny_model(1)
    bench.hub.publish(REPO, new)
    real = getattr(converge_module, step)

    def cut(*args: object) -> None:
        if after:
            real(*args)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(converge_module, step, cut)
        with pytest.raises(Cut):
            bench.run(follow=True)
    bench.forget_requests()
    bench.run(follow=True)
    assert bench.hub.bodies == []
    assert bench.model_files() == served_files(new)
    assert not bench.run(follow=True, verify="sha256")["changed"]


def test_an_update_cut_off_in_its_commit_never_passes_for_the_old_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.hub.publish(REPO, tiny_model(0))
    bench.run()
    bench.hub.publish(REPO, tiny_model(1))

    def cut(*_: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(converge_module, "write_manifest", cut)
        with pytest.raises(Cut):
            bench.run(follow=True)
    bench.run()
    assert not bench.run(verify="sha256")["changed"]

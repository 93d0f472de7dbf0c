# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that omlx fetches itself: what it calls complete is proven here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.repo import (
    ModelError,
    digest_of,
    read_wants,
)
from ansible_collections.closet.inference.plugins.module_utils.models.report import describe
from ansible_collections.closet.inference.plugins.module_utils.models.request import (
    Request,
    Tools,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
)
from ansible_collections.closet.inference.plugins.module_utils.models.via_server import (
    Heard,
    converge_via_server,
)
from tests.unit.plugins.models.bench import REPO, SHARDS, Bench, tiny_model

LEAF = REPO.partition("/")[2]


class Omlx:
    """The server: writes a repository below its model folder, as huggingface_hub would."""

    def __init__(self, folder: Path, files: dict[str, bytes]) -> None:
        self.folder = folder
        self.files = files
        self.asked: list[str] = []

    def pull(self, repo: str, heard: Heard) -> object:
        self.asked.append(repo)
        for number, (name, data) in enumerate(self.files.items(), start=1):
            path = self.folder / repo / name
            metadata = self.folder / repo / ".cache/huggingface/download" / f"{name}.metadata"
            if not metadata.exists():  # or it takes the file for one that it has
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                metadata.parent.mkdir(parents=True, exist_ok=True)
                metadata.write_text("etag")
            heard(number * 1000, len(self.files) * 1000)
        return None


@pytest.fixture
def omlx(bench: Bench) -> Omlx:
    bench.hub.publish(REPO, tiny_model())
    return Omlx(bench.serve_dir, tiny_model())


def run(bench: Bench, omlx: Omlx, *wants: dict[str, str], **options: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "reserve": 0,
        "verify": "size",
        "follow": False,
        "check_mode": False,
        "connections": 3,
        "progress_path": None,
        **options,
    }
    entries = wants or ({"repo": REPO},)
    request = Request(read_wants(entries), bench.store, bench.serve_dir, **values)

    @cache
    def hub() -> Hub:
        return Hub(bench.hub.endpoint, None, HttpxTransport(2), lambda _: None)

    outcome = converge_via_server(request, Tools(hub, hub, lambda _: None), omlx.pull)
    return describe(request, outcome)


def test_it_is_fetched_once_proven_and_recorded(bench: Bench, omlx: Omlx) -> None:
    result = run(bench, omlx)
    assert (result["changed"], omlx.asked) == (True, [REPO])
    assert bench.hub.bodies == []
    folder = bench.serve_dir / REPO
    assert (folder / ".closet.json").exists()
    assert not (folder / ".cache").exists()
    assert result["digest"] == digest_of([(LEAF, REPO, bench.hub.branches[(REPO, "main")])])
    assert not run(bench, omlx)["changed"]
    assert omlx.asked == [REPO]


def test_a_file_that_was_damaged_is_fetched_again(bench: Bench, omlx: Omlx) -> None:
    run(bench, omlx)
    shard = bench.serve_dir / REPO / SHARDS[0]
    shard.write_bytes(b"short")
    assert run(bench, omlx)["models"][0]["state"] == "repaired"
    assert shard.read_bytes() == tiny_model()[SHARDS[0]]


def test_what_omlx_calls_complete_and_is_not_is_said(bench: Bench, omlx: Omlx) -> None:
    omlx.files = {**tiny_model(), SHARDS[1]: b"?" * 5000}
    with pytest.raises(ModelError, match=f"omlx calls {REPO} complete, and {SHARDS[1]}"):
        run(bench, omlx)
    assert not (bench.serve_dir / REPO / ".closet.json").exists()
    omlx.files = tiny_model()
    run(bench, omlx)
    assert (bench.serve_dir / REPO / SHARDS[1]).read_bytes() == tiny_model()[SHARDS[1]]


def test_check_mode_asks_the_server_for_nothing(bench: Bench, omlx: Omlx) -> None:
    result = run(bench, omlx, check_mode=True)
    assert (result["changed"], result["models"][0]["state"]) == (True, "would_pull")
    assert omlx.asked == []


@pytest.mark.parametrize(
    ("want", "options", "words"),
    [
        ({"repo": REPO, "revision": "v2"}, {}, "takes main and nothing else"),
        ({"repo": REPO, "name": "mine"}, {}, f"it serves as {LEAF}"),
        ({"repo": REPO}, {"exclusive": True}, "via: server only brings models"),
        ({"repo": REPO}, {"absent": True}, "via: server only brings models"),
        ({"repo": REPO}, {"reserve": 10**18}, "do not fit"),
    ],
)
def test_what_the_server_cannot_do_is_refused_first(
    bench: Bench, omlx: Omlx, want: dict[str, str], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        run(bench, omlx, want, **options)
    assert omlx.asked == []

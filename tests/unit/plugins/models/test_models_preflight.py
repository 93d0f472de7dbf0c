# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would fail later is said before the first byte; what others left behind is found."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.disk import check_writable
from ansible_collections.closet.inference.plugins.module_utils.models.removal import (
    QUIET_S,
    cache_leftovers,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    progress_file,
    store_lock,
)
from tests.unit.plugins.models.bench import REPO, Bench, served_files, tiny_model

WEIGHTS = 10_000  # of tiny_model: two shards of 5000 bytes


@pytest.fixture
def published(bench: Bench) -> Bench:
    bench.hub.publish(REPO, tiny_model())
    return bench


@pytest.mark.parametrize(("ceiling", "fits"), [(10_500, True), (10_499, False), (None, True)])
def test_a_model_that_no_server_here_could_load(
    published: Bench, ceiling: int | None, fits: bool
) -> None:
    if fits:
        published.run(ceiling=ceiling)
        return
    with pytest.raises(ModelError, match=r"needs 0\.01 MB of memory"):
        published.run(ceiling=ceiling)
    assert published.hub.bodies == []


def test_a_folder_that_omlx_would_serve_under_the_same_name(published: Bench) -> None:
    other = published.serve_dir / "somebody" / "Tiny"
    other.mkdir(parents=True)
    published.run()  # without a config.json it is no model
    (other / "config.json").write_text("{}")
    published.forget_requests()
    with pytest.raises(ModelError, match="omlx shows only the first") as raised:
        published.run()
    assert str(other) in str(raised.value)
    assert published.hub.requests == []


@pytest.mark.parametrize("place", ["store", "model", "serve_dir"])
def test_a_folder_that_may_not_be_written(
    published: Bench, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    locked = {
        "store": published.store,
        "model": published.folder,
        "serve_dir": published.serve_dir,
    }[place]
    locked.mkdir(parents=True)
    real = os.access

    def access(path: Path, mode: int, **options: bool) -> bool:
        return Path(path) != locked and real(path, mode, **options)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "supports_effective_ids", {access})
    with pytest.raises(ModelError, match=f"may not write to {locked}"):
        published.run()
    assert published.hub.bodies == []


def test_a_complete_model_is_fine_in_a_folder_that_is_read_only(
    published: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.run()
    monkeypatch.setattr(os, "access", lambda *_args, **_options: False)
    assert not published.run()["changed"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(ModelError, match="is not a folder"):
        check_writable([tmp_path / "store" / "acme"])


def test_what_other_tools_left_in_the_model_is_counted_and_removed(published: Bench) -> None:
    work = published.folder / ".cache" / "huggingface" / "download"
    work.mkdir(parents=True)
    (work / "x.1234.0badf00d.incomplete").write_bytes(b"x" * 70_000)
    (work / "config.json.metadata").write_text("etag")
    (published.folder / "._____temp").mkdir()
    (published.folder / "._____temp" / "model.safetensors").write_bytes(b"x" * 5000)
    result = published.run()
    assert result["leftovers"]["count"] == 3
    assert result["leftovers"]["bytes"] >= 70_000
    assert published.model_files() == served_files(tiny_model())
    assert not (published.folder / ".cache").exists()


def test_orphans_in_the_hub_cache_go_when_nobody_writes_to_them(
    published: Bench, tmp_path: Path
) -> None:
    blobs = tmp_path / "hub" / "models--acme--big" / "blobs"
    blobs.mkdir(parents=True)
    names = ["aa.0badf00d.incomplete", "bb.1badf00d.incomplete", "cc.incomplete", "dd"]
    for name in names:
        (blobs / name).write_bytes(b"x" * 10_000)
    old = time.time() - QUIET_S - 60
    for name in ("aa.0badf00d.incomplete", "cc.incomplete", "dd"):
        os.utime(blobs / name, (old, old))
    found = cache_leftovers(tmp_path / "hub", time.time())
    assert [name for name, _size in found] == [str(blobs / names[0])]
    result = published.run(hub_cache=tmp_path / "hub")
    assert result["leftovers"]["count"] == 1
    assert sorted(path.name for path in blobs.iterdir()) == names[1:]
    assert not published.run(hub_cache=tmp_path / "hub")["changed"]


def test_two_plays_at_once_say_how_far_the_other_one_is(published: Bench) -> None:
    published.store.mkdir()
    record = (
        '{"version": 1, "state": "pulling", "pid": 7, "bytes": 43100000000, "done": 18600000000, '
        '"rate_bytes_per_s": 11800000, "left_s": 2076, "models": []}'
    )
    with store_lock(published.store, lambda _: None):
        progress_file(published.store).write_text(record)
        with pytest.raises(ModelError, match="another run is working on") as raised:
            published.run()
    assert f"process {os.getpid()}, 43 %, 18.6 GB of 43.1 GB, 11.8 MB/s, 35 min left" in str(
        raised.value
    )


def test_a_run_that_is_not_to_fetch_says_that_it_would_have_to(published: Bench) -> None:
    result = published.run(fetch=False)
    assert (result["pending"], result["changed"]) == (True, False)
    assert result["models"][0]["state"] == "would_pull"
    assert result["missing_bytes"] > 10_000
    assert published.hub.bodies == []
    assert not published.serve_dir.exists()
    published.run()
    again = published.run(fetch=False)
    assert (again["pending"], again["models"][0]["state"]) == (False, "present")


def test_nothing_but_the_model_is_left_behind(published: Bench) -> None:
    published.run()
    assert sorted(path.name for path in published.store.iterdir()) == [".closet.lock", "acme"]

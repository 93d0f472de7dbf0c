# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs against a hub: what is fetched, kept, repaired, refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from tests.unit.plugins.models.bench import REPO, SERVED, SHARDS, Bench, served_files, tiny_model
from tests.unit.plugins.models.hub_double import Fault


def test_a_fresh_pull_ends_complete_linked_and_clean(bench: Bench) -> None:
    model = tiny_model()
    commit = bench.hub.publish(REPO, model)
    result = bench.run()
    assert result["changed"]
    entry = result["models"][0]
    size = sum(map(len, served_files(model).values()))
    assert (entry["state"], entry["revision"], entry["requested"]) == ("pulled", commit, "main")
    assert entry["bytes"] == entry["fetched_bytes"] == result["missing_bytes"] == size
    assert bench.model_files() == served_files(model)
    assert (bench.serve_dir / "tiny").resolve() == bench.folder
    manifest = json.loads((bench.folder / ".closet.json").read_text())
    assert (manifest["repo"], manifest["requested"], manifest["revision"]) == (REPO, "main", commit)
    assert [file["path"] for file in manifest["files"]] == list(SERVED)
    assert result["diff"] == {"before": "", "after": f"tiny {REPO}@{commit}\n"}


def test_a_complete_model_costs_no_network_and_no_writing(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    first = bench.run()
    bench.forget_requests()
    before = {path: path.stat().st_mtime_ns for path in bench.store.parent.rglob("*")}
    second = bench.run()
    assert not second["changed"]
    assert second["models"][0]["state"] == "present"
    assert second["digest"] == first["digest"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert bench.hub.requests == []
    after = {path: path.stat().st_mtime_ns for path in bench.store.parent.rglob("*")}
    lock = bench.store / ".closet.lock"
    assert {p: t for p, t in before.items() if p != lock} == {
        p: t for p, t in after.items() if p != lock
    }


def test_check_mode_tells_and_does_nothing(bench: Bench, tmp_path: Path) -> None:
    model = tiny_model()
    commit = bench.hub.publish(REPO, model)
    result = bench.run(check_mode=True)
    assert list(tmp_path.iterdir()) == []
    assert bench.hub.paths("/resolve/") == []
    assert result["changed"]
    assert result["models"][0]["state"] == "would_pull"
    assert result["missing_bytes"] == sum(map(len, served_files(model).values()))
    real = bench.run()
    assert (real["digest"], real["diff"]) == (result["digest"], result["diff"])
    assert real["models"][0]["revision"] == commit
    assert not bench.run(check_mode=True)["changed"]


@pytest.mark.parametrize("verify", ["manifest", "size", "sha256"])
def test_a_missing_file_is_fetched_alone_without_asking_what_it_is(
    bench: Bench, verify: str
) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.run()
    bench.forget_requests()
    (bench.folder / SHARDS[0]).unlink()
    result = bench.run(verify=verify)
    assert result["models"][0]["state"] == "repaired"
    assert result["models"][0]["fetched_bytes"] == len(model[SHARDS[0]])
    assert bench.hub.paths("/api/") == []
    assert bench.model_files() == served_files(model)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("verify", "seen"), [("manifest", False), ("size", False), ("sha256", True)]
)
def test_a_flipped_byte_is_seen_by_hashing_only(bench: Bench, verify: str, seen: bool) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.run()
    damage(bench.folder / SHARDS[1])
    result = bench.run(verify=verify)
    assert result["changed"] is seen
    assert (bench.model_files() == served_files(model)) is seen


@pytest.mark.parametrize(("verify", "seen"), [("manifest", False), ("size", True)])
def test_a_truncated_file_is_seen_by_its_size(bench: Bench, verify: str, seen: bool) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.run()
    os.truncate(bench.folder / SHARDS[1], 100)
    result = bench.run(verify=verify)
    assert (result["models"][0]["state"] == "repaired") is seen


def test_a_moved_branch_matters_only_when_followed(bench: Bench) -> None:
    first = bench.hub.publish(REPO, tiny_model(0))
    bench.run()
    moved = tiny_model(1)
    second = bench.hub.publish(REPO, moved)
    bench.forget_requests()
    kept = bench.run()
    assert (kept["changed"], kept["models"][0]["revision"]) == (False, first)
    assert bench.hub.requests == []
    followed = bench.run(follow=True)
    assert (followed["models"][0]["state"], followed["models"][0]["revision"]) == ("pulled", second)
    assert followed["digest"] != kept["digest"]
    assert bench.model_files() == served_files(moved)
    assert not bench.run(follow=True)["changed"]


def test_a_new_revision_takes_the_superseded_shards_away(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.run()
    bench.hub.publish(REPO, {"config.json": b"{}", "model.safetensors": b"w" * 3000}, "v2")
    (bench.folder / "notes.txt").write_text("mine")
    result = bench.run({"repo": REPO, "name": "tiny", "revision": "v2"})
    assert result["models"][0]["state"] == "pulled"
    assert set(bench.files()) == {".closet.json", "config.json", "model.safetensors", "notes.txt"}


def test_a_pinned_commit_that_is_here_needs_no_hub(bench: Bench) -> None:
    commit = bench.hub.publish(REPO, tiny_model())
    bench.run()
    bench.forget_requests()
    assert not bench.run({"repo": REPO, "name": "tiny", "revision": commit})["changed"]
    assert bench.hub.requests == []


def test_a_branch_asked_for_after_its_commit_is_recorded_once(bench: Bench) -> None:
    commit = bench.hub.publish(REPO, tiny_model())
    bench.run({"repo": REPO, "name": "tiny", "revision": commit})
    first = bench.run()
    assert (first["changed"], first["models"][0]["fetched_bytes"]) == (True, 0)
    bench.forget_requests()
    assert not bench.run()["changed"]
    assert bench.hub.requests == []


def test_files_of_another_tool_are_proven_and_adopted(bench: Bench) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    for path, data in served_files(model).items():
        (bench.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (bench.folder / path).write_bytes(data)
    damage(bench.folder / SHARDS[0])
    result = bench.run()
    assert result["models"][0]["fetched_bytes"] == len(model[SHARDS[0]])
    assert bench.model_files() == served_files(model)


def test_leftovers_of_other_tools_are_counted_and_removed(bench: Bench) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    hidden = bench.folder / ".cache" / "huggingface" / "download"
    hidden.mkdir(parents=True)
    (hidden / "abc.be5b5337.incomplete").write_bytes(b"x" * 9000)
    (bench.folder / "config.json.part").write_bytes(b"{")
    result = bench.run()
    assert result["leftovers"]["count"] == 2
    assert result["leftovers"]["bytes"] >= 9000
    assert bench.model_files() == served_files(model)
    (bench.folder / "late.incomplete").write_bytes(b"x")
    assert bench.run(check_mode=True)["changed"]
    assert bench.run()["leftovers"]["count"] == 1
    assert not bench.run()["changed"]


def test_nothing_appears_under_its_name_before_the_model_is_whole(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults[SHARDS[1]] = [Fault("status", 404)]
    with pytest.raises(ModelError):
        bench.run(connections=1, tries=1)
    assert all(path.endswith((".part", ".part.journal")) for path in bench.files())
    assert not bench.serve_dir.exists()


def test_what_was_fetched_before_an_error_is_not_fetched_again(bench: Bench) -> None:
    model = tiny_model()
    bench.hub.publish(REPO, model)
    bench.hub.faults[SHARDS[1]] = [Fault("cut", 3000), Fault("status", 404)]
    with pytest.raises(ModelError):
        bench.run(connections=1, tries=2)
    bench.forget_requests()
    result = bench.run(connections=1)
    assert result["models"][0]["fetched_bytes"] == len(model[SHARDS[1]]) - 3000 + 2
    assert bench.model_files() == served_files(model)


def test_a_shard_that_the_index_names_must_be_in_the_repository(bench: Bench) -> None:
    model = tiny_model()
    del model[SHARDS[1]]
    bench.hub.publish(REPO, model)
    with pytest.raises(ModelError, match=f"{SHARDS[1]}, which the repository lacks"):
        bench.run()
    assert [path for path in bench.hub.bodies if SHARDS[0] in path] == []


OTHER = {"repo": "acme/other", "name": "second"}


def single_with_a_foreign_index() -> dict[str, bytes]:
    model = tiny_model()
    weights = model[SHARDS[0]]
    rest = {path: data for path, data in model.items() if path not in SHARDS}
    return {**rest, "model.safetensors": weights}


def test_an_index_of_other_weights_is_a_warning(bench: Bench) -> None:
    bench.hub.publish(REPO, single_with_a_foreign_index())
    result = bench.run()
    assert result["models"][0]["state"] == "pulled"
    assert "names 2 shards, and none of them is in the repository" in bench.warnings[0]
    assert not bench.run()["changed"]
    assert bench.warnings == ()


def broken(kind: str) -> dict[str, bytes]:
    model = tiny_model()
    if kind == "a hole":
        del model[SHARDS[1]]
    elif kind == "no weights":
        model = {"config.json": b"{}"}
    elif kind == "an unsafe path":
        model["x.part"] = b""
    return model


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "kind", ["a hole", "no weights", "an unsafe path", "a lost file", "a wrong byte"]
)
def test_one_flawed_repository_does_not_stop_the_others(
    bench: Bench, kind: str, order: int
) -> None:
    bench.hub.publish(REPO, broken(kind))
    other = {"config.json": b"{}", "model.safetensors": b"o" * 2000}
    bench.hub.publish(OTHER["repo"], other)
    if kind == "a lost file":
        bench.hub.faults["sub/tokenizer.json"] = [Fault("status", 404)]
    if kind == "a wrong byte":
        bench.hub.faults[SHARDS[0]] = [Fault("flip")] * 2
    wants = [{"repo": REPO, "name": "tiny"}, OTHER][::order]
    with pytest.raises(ModelError, match="The other models of this host are not affected") as told:
        bench.run(*wants)
    assert REPO in str(told.value)
    assert (bench.store / OTHER["repo"] / "model.safetensors").read_bytes() == b"o" * 2000
    assert [path.name for path in bench.serve_dir.iterdir()] == ["second"]
    assert not bench.run(OTHER)["changed"]


def test_a_flaw_of_a_new_revision_leaves_the_old_one_served(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.run()
    before = bench.files()
    bench.hub.publish(REPO, broken("no weights"))
    with pytest.raises(ModelError, match="is a weight that") as told:
        bench.run(follow=True)
    assert "other models" not in str(told.value)
    assert bench.files() == before
    assert (bench.serve_dir / "tiny").resolve() == bench.folder


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_repository_with_a_flaw_alone_leaves_nothing(bench: Bench, check_mode: bool) -> None:
    bench.hub.publish(REPO, broken("no weights"))
    with pytest.raises(ModelError, match="is a weight that"):
        bench.run(check_mode=check_mode)
    assert not bench.store.exists()


def test_two_models_and_a_dropped_one(bench: Bench) -> None:
    other = "acme/other"
    bench.hub.publish(REPO, tiny_model())
    bench.hub.publish(other, {"config.json": b"{}", "model.safetensors": b"o" * 2000})
    tiny, second = {"repo": REPO, "name": "tiny"}, {"repo": other, "name": "second"}
    bench.run(tiny, second)
    assert sorted(path.name for path in bench.serve_dir.iterdir()) == ["second", "tiny"]
    (bench.serve_dir / "vendor").mkdir()
    (bench.serve_dir / "elsewhere").symlink_to("/")
    result = bench.run(second)
    assert result["links"] == {"made": [], "removed": ["tiny"], "foreign": ["elsewhere", "vendor"]}
    assert bench.folder.is_dir()
    assert not bench.run(second)["changed"]


def test_a_renamed_model_moves_no_bytes(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.run()
    bench.forget_requests()
    result = bench.run({"repo": REPO, "name": "small"})
    assert result["links"] == {"made": ["small"], "removed": ["tiny"], "foreign": []}
    assert bench.hub.requests == []


def test_a_folder_in_the_way_of_a_name_is_left_alone(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    (bench.serve_dir / "Tiny").mkdir(parents=True)
    with pytest.raises(ModelError, match="occupies the name of a model"):
        bench.run()
    assert bench.hub.requests == []


def test_models_that_do_not_fit_are_refused_before_the_first_byte(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.hub.publish(REPO, tiny_model())
    usage = shutil.disk_usage("/")._replace(free=10_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match=r"tiny \(acme/tiny-mlx@main\) 0.01 MB.*10.00 GB are free"):
        bench.run(reserve=10_000_000_000)
    assert bench.hub.paths("/resolve/") == []
    assert not bench.store.exists()


def test_progress_ends_at_the_whole(bench: Bench, tmp_path: Path) -> None:
    bench.hub.publish(REPO, tiny_model())
    bench.hub.faults[SHARDS[0]] = [Fault("cut", 2000), Fault("ignore_range")]
    path = tmp_path / "progress.json"
    bench.run(progress_path=path)
    progress = json.loads(path.read_text())
    assert progress["state"] == "done"
    assert progress["done"] == progress["bytes"] > 0
    assert progress["models"][0]["fetched"] > progress["bytes"]


def test_a_second_run_waits_and_says_who_is_at_work(bench: Bench) -> None:
    import fcntl

    bench.hub.publish(REPO, tiny_model())
    bench.run()
    with (bench.store / ".closet.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match=f"another run .*process {os.getpid()}"):
            bench.run()
    assert sum(bench.slept) == 30
    assert not bench.run()["changed"]


def test_no_httpx_is_said_before_anything_is_touched(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())

    def carry() -> Hub:
        raise ModelError("no httpx")

    with pytest.raises(ModelError, match="no httpx"):
        bench.run(carry=carry)
    assert not bench.store.exists()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing whole models: listed first, never one that is loaded, never what is not ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.server import (
    Loaded,
    ask_loaded,
    nothing_runs,
    read_loaded,
)
from tests.unit.plugins.models.bench import REPO, Bench, tiny_model
from tests.unit.plugins.omlx_double import running_omlx

OTHER = "acme/other-mlx"
TINY = {"repo": REPO, "name": "tiny"}


@pytest.fixture
def two(bench: Bench) -> Bench:
    """Two models, both here and served."""
    bench.hub.publish(REPO, tiny_model())
    bench.hub.publish(OTHER, tiny_model(seed=3))
    bench.run(TINY, {"repo": OTHER, "name": "other"})
    return bench


def names(bench: Bench) -> list[str]:
    return sorted(entry.name for entry in bench.serve_dir.iterdir())


def remove(bench: Bench, **options: Any) -> dict[str, Any]:
    return bench.run(
        {"repo": OTHER}, **{"absent": True, "confirmed": True, "loaded": nothing_runs, **options}
    )


def test_absent_is_only_listed_until_it_is_confirmed(two: Bench) -> None:
    result = remove(two, confirmed=False)
    (model,) = result["removal"]["models"]
    assert not result["changed"]
    assert (model["repo"], model["names"], model["loaded"]) == (OTHER, ["other"], False)
    assert model["bytes"] > 10_000
    assert names(two) == ["other", "tiny"]
    assert (two.store / OTHER / "config.json").exists()


def test_a_question_what_would_go_changes_nothing_else(two: Bench, tmp_path: Path) -> None:
    orphan = tmp_path / "hub/models--acme--x/blobs" / f"{'a' * 64}.0123abcd.incomplete"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x" * 5000)
    os.utime(orphan, (1, 1))
    result = remove(two, confirmed=False, hub_cache=tmp_path / "hub")
    assert (result["changed"], orphan.exists()) == (False, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"confirm_command": "run it"}, "Nothing was removed. To remove them: `run it`."),
        ({}, "Nothing was removed. To remove them (confirmed: true of this task)."),
    ],
)
@pytest.mark.parametrize("how", [{}, {"absent": False, "exclusive": True}])
def test_what_would_go_is_told_with_what_confirms_it(
    two: Bench, options: dict[str, Any], words: str, how: dict[str, Any]
) -> None:
    if how:
        two.run(TINY, **how, **options, loaded=nothing_runs)
    else:
        remove(two, confirmed=False, **options)
    assert words in " ".join(two.warnings)


def test_absent_and_confirmed_takes_that_model_and_no_other(two: Bench) -> None:
    result = remove(two)
    assert result["changed"]
    assert names(two) == ["tiny"]
    assert sorted(path.name for path in (two.store / "acme").iterdir()) == ["tiny-mlx"]
    assert "other" not in result["diff"]["after"]
    assert "tiny" in result["diff"]["after"]
    assert not remove(two)["changed"]
    assert not two.run(TINY)["changed"]


def test_check_mode_says_what_a_confirmed_removal_would_do(two: Bench) -> None:
    assert remove(two, check_mode=True)["changed"]
    assert names(two) == ["other", "tiny"]


def test_absent_needs_no_network(two: Bench) -> None:
    two.forget_requests()
    remove(two)
    assert two.hub.requests == []


def test_absent_where_nothing_is(bench: Bench) -> None:
    assert not remove(bench)["changed"]
    assert not bench.store.exists()


@pytest.mark.parametrize("confirmed", [False, True])
def test_exclusive_keeps_what_is_listed(two: Bench, confirmed: bool) -> None:
    result = two.run(TINY, exclusive=True, confirmed=confirmed, loaded=nothing_runs)
    assert [model["repo"] for model in result["removal"]["models"]] == [OTHER]
    assert (two.store / OTHER).exists() is not confirmed
    assert (two.store / REPO / "config.json").exists()


def test_exclusive_folds_case_as_a_mac_does(two: Bench) -> None:
    spelled = {"repo": REPO.upper(), "name": "tiny"}
    planned = {"absent": False, "exclusive": True, "confirmed": True, "loaded": nothing_runs}
    two.hub.publish(REPO.upper(), tiny_model())
    result = two.run(spelled, check_mode=True, **planned)
    assert [model["repo"] for model in result["removal"]["models"]] == [OTHER]


@pytest.mark.parametrize(
    ("loaded", "words"),
    [
        (Loaded(ids=frozenset({"other"})), "has other loaded"),
        (Loaded(unknown="nobody answered"), "because nobody answered"),
    ],
    ids=["loaded", "unknown"],
)
def test_what_is_or_may_be_loaded_is_not_touched(two: Bench, loaded: Loaded, words: str) -> None:
    with pytest.raises(ModelError, match=words) as raised:
        remove(two, loaded=lambda: loaded)
    assert str(raised.value).startswith("nothing was removed")
    assert names(two) == ["other", "tiny"]


def test_loaded_from_the_folder_under_another_name(two: Bench) -> None:
    folder = str((two.store / OTHER).resolve())
    with pytest.raises(ModelError, match="nothing was removed"):
        remove(two, loaded=lambda: Loaded(folders=frozenset({folder})))


def test_a_refused_removal_comes_before_the_first_byte(two: Bench) -> None:
    two.hub.publish(REPO, tiny_model(seed=9), branch="next")
    two.forget_requests()
    with pytest.raises(ModelError, match="nothing was removed"):
        two.run({**TINY, "revision": "next"}, exclusive=True, confirmed=True)
    assert two.hub.bodies == []


def test_a_model_that_is_a_link_to_elsewhere_stays(two: Bench, tmp_path: Path) -> None:
    elsewhere = tmp_path / "volume"
    shutil.move(two.store / OTHER, elsewhere)
    (two.store / OTHER).symlink_to(elsewhere)
    result = remove(two)
    assert "behind a link" in result["removal"]["models"][0]["stays_because"]
    assert (elsewhere / "config.json").exists()
    assert not result["changed"]


@pytest.mark.parametrize("place", ["store", "served"])
def test_what_another_link_leads_to_stays(two: Bench, place: str) -> None:
    link = two.store / "mine" / "copy" if place == "store" else two.serve_dir / "mine"
    target = two.store / OTHER if place == "store" else two.store / OTHER / "sub"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    result = remove(two)
    assert (
        f"the unmanaged link {link} leads to it" in result["removal"]["models"][0]["stays_because"]
    )
    assert (two.store / OTHER / "config.json").exists()


def test_links_inside_a_model_are_not_followed(two: Bench, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("keep")
    (two.store / OTHER / "extra").symlink_to(tmp_path / "precious")
    remove(two)
    assert not (two.store / OTHER).exists()
    assert (tmp_path / "precious" / "file").read_text() == "keep"


def test_a_removal_that_was_cut_off_is_finished_by_the_next_run(
    two: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", power_cut)
        with pytest.raises(KeyboardInterrupt):
            remove(two)
    assert names(two) == ["tiny"]
    result = two.run(TINY)
    assert result["changed"]
    assert result["leftovers"]["bytes"] > 10_000
    assert [path.name for path in (two.store / "acme").iterdir()] == ["tiny-mlx"]
    assert not two.run(TINY)["changed"]


def test_room_that_a_removal_makes_counts(two: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.closet.inference.plugins.module_utils.models import plan as plan_module

    monkeypatch.setattr(plan_module, "free_bytes", lambda _store: 5000)
    two.hub.publish(REPO, tiny_model(seed=9), branch="next")
    want = {**TINY, "revision": "next"}
    with pytest.raises(ModelError, match="do not fit"):
        two.run(want)
    two.run(want, exclusive=True, confirmed=True, loaded=nothing_runs)
    assert (two.store / REPO / "config.json").read_bytes() == tiny_model(seed=9)["config.json"]


STATUS = {
    "models": [
        {"id": "idle", "model_path": "/m/idle", "loaded": False, "is_loading": False},
        {"id": "busy", "model_path": "/m/busy", "loaded": True},
        {"id": "coming", "model_path": "/m/coming", "loaded": False, "is_loading": True},
        {"id": "silent", "model_path": "/m/silent"},
    ]
}


def test_what_does_not_say_that_it_is_idle_counts_as_loaded() -> None:
    told = read_loaded(STATUS)
    assert told.ids == {"busy", "coming", "silent"}
    assert told.holds(Path("/m/busy"), ())
    assert told.holds(Path("/elsewhere"), ("coming",))
    assert not told.holds(Path("/m/idle"), ("idle",))


def test_the_server_is_asked_with_its_key_at_its_address() -> None:
    with running_omlx() as omlx:
        omlx.models = {"idle": 1}
        assert ask_loaded(f"{omlx.url}/v1", omlx.key) == Loaded()
        assert omlx.asked("/v1/models/status") == 1
        assert "did not take the one given (401)" in ask_loaded(omlx.url, "sk-wrong").unknown


@pytest.mark.parametrize("said", [b"<html>", {}, []])
def test_an_answer_that_makes_no_sense_is_unknown(said: Any) -> None:
    with running_omlx() as omlx:
        omlx.answer = lambda _method, path, *_: (  # type: ignore[method-assign]
            (200, {"engine_pool": {}} if path == "/health" else said, "")
        )
        assert ask_loaded(omlx.url, "sk-main-1234").unknown


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("http://127.0.0.1:1", "sk-main-1234", "nothing listens there"),
        ("127.0.0.1", "sk-main-1234", "not an address"),
        ("http://127.0.0.1:1", "two words", "ASCII without blanks"),
    ],
)
def test_nobody_to_ask_is_unknown(url: str, key: str, words: str) -> None:
    unknown = ask_loaded(url, key).unknown
    assert words in unknown
    assert key not in unknown

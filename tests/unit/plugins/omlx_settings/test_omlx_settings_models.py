# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running omlx is told the settings of its models, and only what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import consent
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.live import (
    NotToldError,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.models import (
    Listed,
    listed,
    outdated,
    plan,
    vanished,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.run import execute
from tests.unit.plugins.omlx_double import OmlxDouble, running_omlx

KEY = "sk-main-1234"
NEW = "sk-main-5678"
HAVE = {"a": {"is_pinned": True, "temperature": 1.0, "top_k": None}, "b": {}}
WANTED = {"a": {"temperature": 0.2}, "b": {"is_pinned": True}}


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"a": {"is_pinned": True, "temperature": 1}, "b": {"is_pinned": False}}, []),
        ({"a": {"temperature": 0.2}, "b": {}}, [("a", {"temperature": 0.2})]),
        ({"a": {"temperature": None, "top_k": None}, "b": {}}, [("a", {"temperature": None})]),
        ({"a": {}, "b": {"is_pinned": True}}, [("b", {"is_pinned": True})]),
        ({"a": {"temperature": 0.2}}, []),
        ({"a": {"temperature": 0.2}, "c": {}}, []),
    ],
)
def test_only_what_differs_is_told_and_only_to_the_right_server(
    wanted: dict[str, Any], keys: list[tuple[str, Any]]
) -> None:
    assert [(change.model, dict(change.keys)) for change in plan(wanted, HAVE)] == keys


@pytest.fixture
def omlx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OmlxDouble]:
    monkeypatch.setattr(consent, "on_this_host", lambda: None)
    base = tmp_path / "omlx"
    base.mkdir()
    have = json.loads(json.dumps(HAVE))
    with running_omlx(OmlxDouble(KEY, file=base / "settings.json", settings=have)) as served:
        served.save()
        yield served


def bring(
    omlx: OmlxDouble, models: dict[str, Any], check_mode: bool = False, key: str | None = KEY
) -> tuple[dict[str, Any], list[str]]:
    assert omlx.file is not None
    params = {"base_path": str(omlx.file.parent), "api_key": key, "models": models}
    result, warnings = execute(params, check_mode)
    assert KEY not in json.dumps(result)
    return result, warnings


def in_file(omlx: OmlxDouble) -> Any:
    assert omlx.file is not None
    return json.loads(omlx.file.with_name("model_settings.json").read_text())["models"]


def test_it_tells_the_difference_loads_what_is_pinned_and_has_nothing_to_say_then(
    omlx: OmlxDouble,
) -> None:
    foretold, _ = bring(omlx, WANTED, check_mode=True)
    assert omlx.changes == []
    told, warnings = bring(omlx, WANTED)
    assert told == foretold
    assert told["changed_keys"] == ["models.a.temperature", "models.b.is_pinned"]
    assert (told["restart_needed"], warnings) == (False, [])
    assert omlx.changes == [
        'tell a {"temperature": 0.2}',
        'tell b {"is_pinned": true}',
        "load b",
    ]
    assert in_file(omlx) == WANTED
    assert bring(omlx, WANTED)[0]["changed"] is False


def test_what_the_files_have_and_the_server_does_not_is_told_all_the_same(
    omlx: OmlxDouble,
) -> None:
    bring(omlx, WANTED)
    omlx.settings["a"]["temperature"] = 1.0
    told, _ = bring(omlx, WANTED)
    assert (told["changed"], told["changed_keys"]) == (True, ["models.a.temperature"])
    shown = [entry for entry in told["diff"] if "the running omlx, a" in entry["after_header"]]
    assert [json.loads(entry["before"]) for entry in shown] == [{"temperature": 1.0}]


def test_a_main_key_that_is_replaced_and_a_pin_need_one_look_and_no_restart(
    omlx: OmlxDouble,
) -> None:
    told, _ = bring(omlx, WANTED, key=NEW)
    assert told["restart_needed"] is False
    assert told["changed_keys"] == [
        "auth.api_key",
        "models.a.temperature",
        "models.b.is_pinned",
    ]
    assert omlx.changes[0] == "main"
    assert omlx.changes[-1] == "load b", "it is loaded with the new key"
    assert omlx.asked("/admin/api/login") == 1


def test_without_keys_of_its_own_a_task_tells_models_with_the_key_in_the_file(
    omlx: OmlxDouble,
) -> None:
    assert bring(omlx, WANTED, key=None)[0]["changed"] is True
    assert omlx.settings["a"]["temperature"] == 0.2
    assert omlx.key == KEY


def test_a_server_of_other_models_reads_the_file_when_it_is_restarted(omlx: OmlxDouble) -> None:
    assert bring(omlx, {"c": {"is_pinned": True}})[0]["restart_needed"] is False
    assert omlx.changes == []
    assert in_file(omlx) == {"c": {"is_pinned": True}}


def test_a_key_that_this_omlx_does_not_take_is_said_and_is_no_change(omlx: OmlxDouble) -> None:
    omlx.deaf_to = ("temperature",)
    wanted: dict[str, Any] = {"a": {"temperature": 0.2}, "b": {}}
    _, warnings = bring(omlx, wanted)
    assert warnings == ["this omlx did not take models.a.temperature; it goes on without"]
    again, warnings = bring(omlx, wanted)
    assert (again["changed"], len(warnings)) == (False, 1)


def test_a_server_that_does_not_let_us_in_is_told_nothing_and_restarted(omlx: OmlxDouble) -> None:
    omlx.key = "sk-of-somebody-else"
    assert bring(omlx, WANTED)[0]["restart_needed"] is True
    assert omlx.changes == []


def test_an_error_of_the_server_is_a_sentence_without_the_key_and_no_file_is_written(
    omlx: OmlxDouble,
) -> None:
    omlx.broken = "/admin/api/models/a/"
    with pytest.raises(NotToldError, match=r"it answered 500 .* to settings of a\.") as caught:
        bring(omlx, WANTED)
    assert KEY not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        in_file(omlx)


# --- what it found at its start, and what its folder holds ----------------------------------------


@pytest.mark.parametrize(
    ("have", "disk", "gone", "words"),
    [
        ({"a": 105, "b": 0}, {"a": 100, "b": 50}, [], []),
        ({"a": 105}, {"a": 100, "b": 50}, [], ["b came after it was started"]),
        ({"a": 105}, {"a": 100, "b": None}, [], []),
        ({"a": 52}, {"a": 100}, [], ["a was not complete when it was started"]),
        ({"a": 105, "c": 9}, {"a": 100}, ["c"], ["c went after it was started"]),
        # what somebody fetched in omlx's own pages is none of ours
        ({"a": 105, "theirs": 9}, {"a": 100}, [], []),
        ({}, {}, [], []),
    ],
)
def test_a_list_differs_from_the_disk(
    have: dict[str, int], disk: dict[str, int | None], gone: list[str], words: list[str]
) -> None:
    assert (
        outdated({name: Listed({}, "", size) for name, size in have.items()}, disk, gone) == words
    )


def test_a_row_without_numbers_is_not_judged() -> None:
    assert listed({"id": "a", "estimated_size": "big", "model_path": None}) == Listed({})
    assert vanished({"a": Listed({}), "b": Listed({}, "/"), "c": Listed({}, "/no/where")}) == ["c"]


@pytest.fixture
def folder(omlx: OmlxDouble, tmp_path: Path) -> Path:
    """Where a and b lie, as the server found them; the file says that it is its folder."""
    served = tmp_path / "served"
    for name in ("a", "b"):
        put(omlx, served, name, 1000)
    omlx.memory["model"] = {"model_dirs": [str(served)]}
    omlx.save()
    return served


def put(omlx: OmlxDouble, served: Path, name: str, size: int) -> None:
    store = served.parent / "store" / name
    store.mkdir(parents=True)
    (store / "config.json").write_text("{}")
    (store / "model.safetensors").write_bytes(b"x" * size)
    served.mkdir(exist_ok=True)
    (served / name).symlink_to(store)
    omlx.settings.setdefault(name, {})
    omlx.paths[name] = served / name
    omlx.models[name] = size + size // 20


def needs_restart(omlx: OmlxDouble, models: dict[str, Any]) -> list[str]:
    """In what it differs, foretold and then said; the restart goes with it."""
    foretold, _ = bring(omlx, models, check_mode=True)
    told, _ = bring(omlx, models)
    assert told == foretold
    assert told["restart_needed"] is bool(told["outdated"])
    outdated_now: list[str] = told["outdated"]
    return outdated_now


def test_a_server_whose_list_is_right_is_not_restarted(omlx: OmlxDouble, folder: Path) -> None:
    before = len(omlx.requests)
    assert needs_restart(omlx, {"a": {}, "b": {}}) == []
    asked = [path for _method, path, _body in omlx.requests[before:]]
    assert asked.count("/admin/api/models") == 2, "one look in each run"
    assert [path for path in asked if "status" in path] == []


def test_a_model_that_was_pulled_since_it_started_needs_a_restart(
    omlx: OmlxDouble, folder: Path
) -> None:
    put(omlx, folder, "c", 500)
    for memory in (omlx.settings, omlx.paths, omlx.models):
        del memory["c"]
    assert needs_restart(omlx, {"a": {}, "c": {}}) == ["c came after it was started"]
    assert omlx.reloads == 0


def test_a_shard_that_came_since_it_started_needs_a_restart_and_no_load(
    omlx: OmlxDouble, folder: Path
) -> None:
    (folder / "b" / "model-2.safetensors").write_bytes(b"x" * 1000)
    wanted = {"a": {}, "b": {"is_pinned": True}}
    assert needs_restart(omlx, wanted) == ["b was not complete when it was started"]
    assert omlx.changes == [], "it was told to load what it cannot load"
    assert in_file(omlx)["b"] == {"is_pinned": True}, "it reads that when it starts"


def test_the_size_of_a_model_with_an_index_is_not_judged(omlx: OmlxDouble, folder: Path) -> None:
    """Some versions count what the index says, and a repository may hold its weights twice."""
    (folder / "b" / "consolidated.safetensors").write_bytes(b"x" * 1000)
    (folder / "b" / "model.safetensors.index.json").write_text("{}")
    assert needs_restart(omlx, {"a": {}, "b": {}}) == []


def test_a_model_that_was_taken_away_needs_a_restart(omlx: OmlxDouble, folder: Path) -> None:
    put(omlx, folder, "old", 10)
    (folder / "old").unlink()
    assert needs_restart(omlx, {"a": {}, "b": {}}) == ["old went after it was started"]


def test_what_is_on_no_disk_is_no_reason_for_a_restart_after_the_pull(
    omlx: OmlxDouble, folder: Path
) -> None:
    """A check does not know what the run would have pulled before."""
    wanted: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    assert bring(omlx, wanted, check_mode=True)[0]["restart_needed"] is True
    assert bring(omlx, wanted)[0]["restart_needed"] is False


def test_a_server_that_asks_for_no_key_is_compared_too(omlx: OmlxDouble, folder: Path) -> None:
    omlx.key = None
    omlx.save()
    assert bring(omlx, {"a": {}, "b": {}}, key=None)[0]["restart_needed"] is False
    del omlx.models["b"]
    assert bring(omlx, {"a": {}, "b": {}}, key=None)[0]["restart_needed"] is True

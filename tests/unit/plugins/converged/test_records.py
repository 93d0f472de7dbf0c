"""The records of converged hosts, and which of them the end of a run writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.converged import (
    notes,
    records,
    run,
    watches,
)
from ansible_collections.closet.inference.plugins.plugin_utils.converged.watches import Watch

FILE, JOB = Watch("path", "/etc/x"), Watch("job", "inference.closet.omlx")
SEEN = {"path /etc/x": "-rw 0 0", "fact kernel": "Darwin"}


def record(seen: dict[str, str] | None = SEEN, inputs: str = "in") -> records.Record:
    return records.made(inputs, (FILE, JOB), seen, {"": "/Users/admin"})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    at = tmp_path / "made/by us"
    records.write(at, "a/host", record())
    found = records.read(at, "a/host")
    assert found is not None
    assert found.differences("in", SEEN) == []
    assert at.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in at.iterdir()] == [0o600]


@pytest.mark.parametrize(
    ("inputs", "seen", "differences"),
    [
        ("other", SEEN, ["inputs"]),
        ("in", {**SEEN, "fact kernel": "Linux"}, ["fact kernel"]),
        ("in", {"fact kernel": "Darwin"}, ["path /etc/x"]),
        ("in", {**SEEN, "job new": ""}, ["job new"]),
    ],
)
def test_what_differs_is_named(inputs: str, seen: dict[str, str], differences: list[str]) -> None:
    assert record().differences(inputs, seen) == differences


def test_a_record_of_a_run_with_changes_matches_nothing() -> None:
    assert record(None).differences("in", SEEN) == ["no run without changes is known"]


def test_a_record_reveals_nothing() -> None:
    text = json.dumps(record().plain())
    assert "Darwin" not in text
    # the same state has other digests in another record
    assert record().subjects != record().subjects


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "salt": "x"}'])
def test_a_broken_record_costs_a_complete_run(tmp_path: Path, text: str) -> None:
    (tmp_path / "attic.json").write_text(text)
    assert records.read(tmp_path, "attic") is None
    (tmp_path / "attic.json").unlink()
    assert records.read(tmp_path, "attic") is None


def test_the_records_of_an_inventory_have_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert records.folder(["home"]) == records.folder([f"{tmp_path}/x/../home"])
    assert records.folder(["home"]) != records.folder(["lab"])


def told(name: str, closet: str, seen: dict[str, str] | None = SEEN) -> list[tuple[str, str, Any]]:
    probe = {"record": record(seen).plain(), "closet": closet, "folder": "/records"}
    return [("probe", name, probe), ("task", name, [FILE.plain()]), ("task", name, [JOB.plain()])]


def test_hosts_without_changes_are_remembered_with_the_state_of_their_closet() -> None:
    hosts = run.ended([*told("air", "attic"), *told("attic", "attic")])
    made = run.remembered(hosts, {"air", "attic"})
    assert made["attic"].differences("in", SEEN) == []
    assert made["air"].differences("in", SEEN) == []
    assert made["air"].closet == made["attic"].state
    assert made["attic"].closet == ""


def test_a_laptop_is_remembered_beside_a_closet_that_was_left_out() -> None:
    hosts = run.ended([*told("air", "attic"), *told("attic", "attic"), ("left out", "attic", "it")])
    made = run.remembered(hosts, {"air", "attic"})
    assert list(made) == ["air"]
    assert made["air"].closet == "it"


def test_a_host_with_changes_is_remembered_by_its_watches_alone() -> None:
    made = run.remembered(run.ended(told("attic", "attic")), set())
    assert made["attic"].watches == (FILE, JOB)
    assert made["attic"].subjects is None


def test_what_the_probe_did_not_observe_needs_another_run() -> None:
    more = ("task", "attic", [Watch("path", "/etc/y").plain()])
    made = run.remembered(run.ended([*told("attic", "attic"), more]), {"attic"})
    assert made["attic"].subjects is None
    assert Watch("path", "/etc/y") in made["attic"].watches


@pytest.mark.parametrize(
    "more",
    [[("task", "attic", None)], [("left out", "attic", "it")]],
    ids=["a task that cannot be observed", "left out"],
)
def test_a_host_that_is_not_remembered(more: list[tuple[str, str, Any]]) -> None:
    hosts = run.ended([*told("attic", "attic"), *more])
    assert run.remembered(hosts, {"attic"}) == {}


def test_a_laptop_of_a_closet_outside_this_run_does_not_count_as_converged() -> None:
    made = run.remembered(run.ended(told("air", "attic")), {"air"})
    assert made["air"].closet == ""


@pytest.mark.parametrize(
    ("action", "role", "transparent"),
    [
        ("closet.inference.managed_files", "", True),
        ("ansible.builtin.include_tasks", "", True),
        ("ansible.builtin.debug", "closet.inference.preflight", True),
        ("ansible.builtin.debug", "", False),
        ("ansible.builtin.command", "", False),
        ("closet.inference.release", "", False),
        ("closet.inference.tailscale_node", "", False),
    ],
)
def test_only_what_the_probe_can_observe_is_transparent(
    action: str, role: str, transparent: bool
) -> None:
    assert run.is_transparent(action, role) is transparent


def test_notes_come_back_in_their_order() -> None:
    notes.note("task", "air", [1])  # before the run has begun: lost
    notes.begin()
    notes.note("task", "attic", [1])
    notes.note("probe", "air", {"a": None})
    assert list(notes.end()) == [("task", "attic", [1]), ("probe", "air", {"a": None})]
    assert list(notes.end()) == []


def test_a_file_is_watched_by_its_path_alone() -> None:
    options = {
        "files": [{"path": "/etc/x", "content": "a"}, {"path": "/opt/", "state": "directory"}]
    }
    found = watches.of_task("managed_files", options)
    assert found == [FILE, Watch("path", "/opt"), Watch("entry", "/etc")]


def test_a_job_is_watched_with_its_files() -> None:
    plist = {"ProgramArguments": ["/opt/a", "-x"], "StandardOutPath": "/var/log/closet/a.log"}
    found = watches.of_task("launchd_job", {"jobs": [{"label": JOB.name, "plist": plist}]})
    assert found == [
        JOB,
        Watch("path", "/Library/LaunchDaemons/inference.closet.omlx.plist"),
        Watch("entry", "/var/log/closet/a.log"),
        Watch("path", "/opt/a"),
        *(Watch("entry", at) for at in ("/Library/LaunchDaemons", "/Library")),
        *(Watch("entry", at) for at in ("/var/log/closet", "/var/log", "/var", "/opt")),
    ]


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("release", {}),
        ("launchd_job", {"label": "a", "domain": "gui/501"}),
        ("omlx_model", {"store": "/s", "serve_dir": "/d", "follow": True}),
        ("omlx_model", {"store": "/s", "serve_dir": "/d", "state": "absent"}),
        ("inference_endpoint", {"url": "http://a/v1", "expect": "refused"}),
        ("inference_endpoint", {"url": "http://a/v1", "resolves_to": ["100.64.0.0/10"]}),
    ],
)
def test_what_cannot_be_observed_has_no_watches(module: str, options: dict[str, Any]) -> None:
    assert watches.of_task(module, options) is None


def test_a_watch_names_keys_by_their_digests() -> None:
    options = {"url": "http://a/v1/", "api_key": "k", "refused_keys": ["r"], "answer": "m"}
    (found,) = watches.of_task("inference_endpoint", options) or []
    assert found == Watch(
        "endpoint", "http://a/v1", watches.digest("k"), (watches.digest("r"),), "m"
    )
    assert watches.read(json.loads(json.dumps(found.plain()))) == found
    assert replace(found, key="").key == ""

"""The end of a run: which hosts the callback plugin remembers, and what it prints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context

from ansible_collections.closet.inference.plugins.callback.converged import CallbackModule
from ansible_collections.closet.inference.plugins.plugin_utils import this_run
from ansible_collections.closet.inference.plugins.plugin_utils.converged import notes, records
from ansible_collections.closet.inference.plugins.plugin_utils.converged.watches import Watch

WATCH = Watch("path", "/etc/x")
SEEN = {"path /etc/x": "-rw 0 0"}


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> CallbackModule:
    monkeypatch.setattr(this_run, "name_of_playbook", lambda: "site")
    monkeypatch.setattr(context, "CLIARGS", {"tags": ("all",)})
    return CallbackModule()


def told(at: Path, host: str) -> None:
    """What the workers note of a host."""
    record = records.made("in", (WATCH,), SEEN, {}).plain()
    notes.note("probe", host, {"record": record, "closet": host, "folder": str(at)})
    notes.note("task", host, [WATCH.plain()])


def stats(**changed: int) -> Any:
    return SimpleNamespace(summarize=lambda host: {"ok": 3, "skipped": 1, "changed": changed[host]})


def ended(host: str, action: str) -> Any:
    task = SimpleNamespace(resolved_action=action, action=action, _role=None)
    return SimpleNamespace(task=task, host=SimpleNamespace(get_name=lambda: host))


def has_converged(at: Path, host: str) -> bool:
    found = records.read(at, host)
    assert found is not None
    return found.differences("in", SEEN) == []


def test_a_host_without_changes_has_converged(callback: CallbackModule, tmp_path: Path) -> None:
    for host in ("attic", "cellar", "shed"):
        told(tmp_path, host)
        callback.v2_runner_on_ok(ended(host, "closet.inference.managed_files"))
    callback.v2_runner_on_ok(ended("shed", "ansible.builtin.command"))
    callback.v2_playbook_on_stats(stats(attic=0, cellar=1, shed=0))
    assert has_converged(tmp_path, "attic")
    assert not has_converged(tmp_path, "cellar")
    assert not has_converged(tmp_path, "shed")


@pytest.mark.parametrize(
    "options", [{"tags": ("power",)}, {"skip_tags": ("power",)}, {"check": True}], ids=str
)
def test_a_part_of_a_run_remembers_nothing(
    callback: CallbackModule,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    monkeypatch.setattr(context, "CLIARGS", options)
    told(tmp_path, "attic")
    callback.v2_playbook_on_stats(stats(attic=0))
    assert list(tmp_path.iterdir()) == []


def test_another_playbook_remembers_nothing(
    callback: CallbackModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(this_run, "name_of_playbook", lambda: "profile")
    told(tmp_path, "attic")
    callback.v2_playbook_on_stats(stats(attic=0))
    assert list(tmp_path.iterdir()) == []


def test_the_hosts_that_were_left_out_are_named(
    callback: CallbackModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in ("attic", "air"):
        told(tmp_path, host)
        notes.note("left out", host, "state")
    callback.v2_playbook_on_stats(stats(attic=0, air=0))
    assert "Nothing to do on air, attic." in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_a_warning(
    callback: CallbackModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(tmp_path / "file/records", "attic")
    (tmp_path / "file").touch()
    callback.v2_playbook_on_stats(stats(attic=0))
    assert "The next run will be a complete one" in capsys.readouterr().err

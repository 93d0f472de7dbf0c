# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The race after bootout, and everything else that launchd does in its own time."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest

from tests.unit.plugins.launchd.fake_launchd import Program, Quirks
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac

TARGET = f"system/{LABEL}"


def test_cc_connect_84_a_reload_waits_for_a_slow_drain(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=20)
    first = mac.job(plist=mac.server())
    result = mac.job(plist=mac.server(Nice=1))
    assert result["steps"] == ["bootout", "write", "bootstrap", "settle"]
    assert result["pid"] != first["pid"]
    assert mac.launchd.verbs().count("bootstrap") == 1, "it was not tried before the label was gone"
    assert 20 < mac.launchd.slept < 30


@pytest.mark.parametrize("answer", ["5", "37", "dropped"])
def test_cortex_880_bootstrap_is_never_sent_into_the_window(mac: Mac, answer: str) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=8)
    mac.launchd.quirks = Quirks(early_bootstrap=answer)
    mac.job(plist=mac.server())
    assert not mac.job(plist=mac.server(Nice=1)).get("failed")
    verbs = mac.launchd.verbs()
    assert verbs.count("bootstrap") == 1


def test_headroom_1289_the_label_stays_in_the_way_though_print_says_113(mac: Mac) -> None:
    """Ten failed attempts, the eleventh went well."""
    mac.launchd.quirks = Quirks(busy_s=5)
    mac.job(plist=mac.server())
    assert not mac.job(plist=mac.server(Nice=1)).get("failed")
    assert mac.launchd.verbs().count("bootstrap") > 2


def test_d_inference_1102_the_label_stays_longer_than_the_exit_timeout(mac: Mac) -> None:
    """launchd cleans up in its own time after the process is gone: 3 s more than it says."""
    mac.launchd.programs[LABEL] = Program(ignores_term=True)
    mac.launchd.quirks = Quirks(linger_s=3)
    mac.job(plist=mac.server(ExitTimeOut=5))
    result = mac.job(plist=mac.server(ExitTimeOut=5, Nice=1))
    assert (result.get("failed"), result["state_after"]) == (None, "running")
    assert mac.launchd.verbs().count("bootstrap") == 1


def test_opensession_431_a_good_definition_is_not_rolled_back_for_the_race(mac: Mac) -> None:
    """The new job comes late and is the new one; nothing is put back for that."""
    mac.launchd.programs[LABEL] = Program(drain_s=8)
    mac.launchd.quirks = Quirks(busy_s=4, early_bootstrap="37", sits_idle=True)
    mac.job(plist=mac.server())
    result = mac.job(plist=mac.server(Nice=1))
    assert not result.get("failed")
    assert plistlib.loads(mac.path.read_bytes())["Nice"] == 1
    assert mac.launchd.jobs[TARGET].definition["Nice"] == 1


def test_only_5_and_37_are_tried_again(mac: Mac) -> None:
    refused = (134, "Bootstrap failed: 134: Service cannot load in requested session\n")
    mac.launchd.fail_next["bootstrap"] = [refused]
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert mac.launchd.verbs().count("bootstrap") == 1
    assert "LimitLoadToSessionType" in result["msg"]


def test_trying_again_has_an_end(mac: Mac) -> None:
    mac.launchd.fail_next["bootstrap"] = [(5, "Bootstrap failed: 5: Input/output error\n")] * 99
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert mac.launchd.slept < 20
    assert not mac.path.exists(), "there was no plist before"


def test_a_process_that_ignores_sigterm_is_waited_for_and_told(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(ignores_term=True)
    mac.job(plist=mac.server(ExitTimeOut=20))
    result = mac.job(plist=mac.server(ExitTimeOut=20), state="stopped")
    assert not result.get("failed")
    assert result["state_after"] == "absent"
    assert "did not end within its exit timeout of 20 s" in result["warnings"][0]


def test_one_that_launchd_never_kills_is_an_error_and_nothing_is_loaded(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(ignores_term=True)
    mac.job(plist=mac.server(ExitTimeOut=0))
    result = mac.job(plist=mac.server(ExitTimeOut=60), timeout_s=10)
    assert result["failed"]
    assert "still has it after 1" in result["msg"]
    assert "bootstrap" not in mac.launchd.verbs()
    assert plistlib.loads(mac.path.read_bytes())["ExitTimeOut"] == 0


def test_the_exit_timeout_that_counts_is_the_one_of_the_loaded_job(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=50)
    mac.job(plist=mac.server(ExitTimeOut=60))
    assert not mac.job(plist=mac.server(ExitTimeOut=5), timeout_s=5).get("failed")


def test_a_new_definition_that_cannot_be_loaded_is_put_back(mac: Mac) -> None:
    old = mac.server()
    mac.job(plist=old)
    before = mac.path.read_bytes()
    mac.launchd.fail_next["bootstrap"] = [(109, "Bootstrap failed: 109: Invalid property list\n")]
    result = mac.job(plist=mac.server(ProgramArguments=[str(mac.folder / "server"), "--new"]))
    assert result["failed"]
    assert mac.path.read_bytes() == before
    assert mac.launchd.jobs[TARGET].pid == result["pid"]
    assert result["state_after"] == "running"
    assert mac.launchd.jobs[TARGET].definition == plistlib.loads(before)
    assert mac.launchd.slept < 3, "the old definition is known when it is seen"
    assert "The previous job is loaded again." in result["msg"]
    assert "109 (Invalid property list)" in result["msg"]
    assert "plutil -lint" in result["msg"]


def test_a_job_that_was_disabled_is_disabled_again_when_it_is_put_back(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.launchd.disabled[LABEL] = True
    mac.launchd.fail_next["bootstrap"] = [(109, "Bootstrap failed: 109: Invalid property list\n")]
    result = mac.job(plist=mac.server(Nice=1))
    assert result["failed"]
    assert mac.launchd.jobs[TARGET].pid is not None
    assert mac.launchd.disabled[LABEL] is True


def test_a_folder_that_cannot_be_written_does_not_cost_the_job(
    mac: Mac, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.closet.inference.plugins.module_utils.launchd import apply

    mac.job(plist=mac.server())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(apply, "write_atomic", full)
        result = mac.job(plist=mac.server(Nice=1))
    assert result["failed"]
    assert "No space left on device" in result["msg"]
    assert mac.launchd.jobs[TARGET].pid is not None


def test_a_job_that_dies_at_start_is_an_error_with_its_log(mac: Mac) -> None:
    log = mac.folder / "err.log"
    log.write_text("loading\nOSError: address already in use\n")
    mac.launchd.programs[LABEL] = Program(lives_s=0.3, exit_code=1)
    result = mac.job(plist=mac.server(StandardErrorPath=str(log)))
    assert result["failed"]
    for evidence in ("runs: 1", "last exit: 1", "address already in use", "launchctl print"):
        assert evidence in result["msg"]


def test_a_job_that_dies_later_than_the_settle_time_has_started(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=60, exit_code=1)
    assert not mac.job(plist=mac.server()).get("failed")


def test_a_respawn_within_the_settle_time_is_seen(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=1.0, exit_code=1)
    result = mac.job(plist=mac.server(ThrottleInterval=1), settle_s=5.0)
    assert "ended again within" in result["msg"]


def test_a_job_that_ends_well_is_told_about_completed(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=0.0)
    result = mac.job(plist=mac.server(KeepAlive=False, RunAtLoad=True))
    assert "`state: loaded` and `completed: true`" in result["msg"]


def test_restarted_is_a_new_process_without_a_kill(mac: Mac) -> None:
    first = mac.job(plist=mac.server())
    mac.launchd.advance(100)
    result = mac.job(plist=mac.server(), state="restarted")
    assert result["pid"] != first["pid"]
    assert result["runs"] == 2
    assert ("kill", "SIGTERM", TARGET) in mac.launchd.calls
    assert not any("-k" in call for call in mac.launchd.calls)


def test_restarted_waits_for_the_throttle(mac: Mac) -> None:
    mac.job(plist=mac.server())
    result = mac.job(plist=mac.server(), state="restarted", timeout_s=5)
    assert not result.get("failed")
    assert mac.launchd.slept > 20


def test_restarted_loads_anew_what_ignores_sigterm(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(ignores_term=True)
    first = mac.job(plist=mac.server())
    result = mac.job(plist=mac.server(), state="restarted")
    assert not result.get("failed")
    assert result["pid"] != first["pid"]


def test_restart_on_restarts_once(mac: Mac) -> None:
    first = mac.job(plist=mac.server(), restart_on={"config": "a", "version": 1})
    same = mac.job(plist=mac.server(), restart_on={"version": 1, "config": "a"})
    assert not same["changed"]
    other = mac.job(plist=mac.server(), restart_on={"config": "b", "version": 1})
    assert other["drift"] == ["file", "restart_on"]
    assert other["pid"] != first["pid"]
    assert not mac.job(plist=mac.server(), restart_on={"config": "b", "version": 1})["changed"]


def test_restart_on_is_remembered_by_launchd_and_not_by_the_file(mac: Mac) -> None:
    """A deferred change, or a run that wrote the file and no more, still owes its restart."""
    mac.job(plist=mac.server(), restart_on=["a"])
    deferred = mac.job(plist=mac.server(), restart_on=["b"], on_change="defer")
    assert deferred["steps"] == ["write"]
    still = mac.job(plist=mac.server(), restart_on=["b"], on_change="defer")
    assert (still["changed"], still["drift"]) == (False, ["restart_on"])
    owed = mac.job(plist=mac.server(), restart_on=["b"])
    assert owed["steps"] == ["bootout", "bootstrap", "settle"]


def test_twenty_changes_in_a_row_lose_no_job(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(drain_s=3)
    mac.launchd.quirks = Quirks(early_bootstrap="dropped", busy_s=2)
    for turn in range(20):
        assert not mac.job(plist=mac.server(Nice=turn)).get("failed")
        assert mac.launchd.jobs[TARGET].definition["Nice"] == turn


def test_a_job_that_shall_run_once_is_run_again_when_it_changes(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=0.2)
    once = mac.server(KeepAlive=False, RunAtLoad=True)
    wanted: dict[str, Any] = {"state": "loaded", "completed": True}
    first = mac.job(plist=once, **wanted)
    assert (first["runs"], first["last_exit"], first["state_after"]) == (1, 0, "loaded")
    assert not mac.job(plist=once, **wanted)["changed"]
    assert len(mac.launchd.calls) == 2
    again = mac.job(plist={**once, "Nice": 1}, **wanted)
    assert (again["changed"], again["last_exit"]) == (True, 0)


def test_a_job_that_shall_run_once_and_fails_is_an_error(mac: Mac) -> None:
    mac.launchd.programs[LABEL] = Program(lives_s=0.2, exit_code=78)
    once = mac.server(KeepAlive=False, RunAtLoad=True)
    result = mac.job(plist=once, state="loaded", completed=True)
    assert "it did not complete" in result["msg"]
    assert "could not even start the program" in result["msg"]


def test_one_that_never_ends_does_not_complete(mac: Mac) -> None:
    once = mac.server(KeepAlive=False, RunAtLoad=True)
    result = mac.job(plist=once, state="loaded", completed=True, timeout_s=5)
    assert "it is still running after 5 s" in result["msg"]


def test_launchd_dropping_a_job_while_it_settles_is_an_error(mac: Mac) -> None:
    mac.job(plist=mac.server())
    mac.launchd.fail_next["print"] = []
    original = mac.launchd.sleep

    def lose(seconds: float) -> None:
        mac.launchd.jobs.pop(TARGET, None)
        original(seconds)

    mac.launchd.sleep = lose  # type: ignore[method-assign]
    mac.launchd.jobs[TARGET].pid = None
    result = mac.job(plist=mac.server())
    assert "launchd has dropped it since" in result["msg"]
    assert "The job is not loaded now." in result["msg"]

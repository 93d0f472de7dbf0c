# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin: when the module runs in the background, and how its end is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.action import omlx_model as plugin
from ansible_collections.closet.inference.plugins.action.omlx_model import ActionModule

STORE = "/Users/admin/store"
RECORD = {
    "version": 1,
    "state": "pulling",
    "pid": 7,
    "bytes": 100,
    "done": 40,
    "rate_bytes_per_s": 0,
    "models": [{"name": "tiny", "bytes": 100, "done": 40}],
}
PLANNED = {
    "changed": False,
    "pending": True,
    "models": [{"name": "tiny", "state": "would_pull", "bytes": 100, "missing_bytes": 100}],
}
DONE = {"changed": True, "pending": False, "models": []}
STARTED = '{"started": true, "finished": false, "ansible_job_id": "j12.3"}'


class Host(ActionModule):
    """The plugin with a host behind it that answers from lists."""

    def __init__(self, runs: list[Any], looks: list[Any], **args: Any) -> None:
        self._task: Any = SimpleNamespace(
            args={"store": STORE, **args}, async_val=0, check_mode=False, environment=[]
        )
        self._connection: Any = SimpleNamespace(has_native_async=False, _shell=None)
        self.runs, self.looks = runs, looks
        self.asked: list[tuple[dict[str, Any], bool, int]] = []
        self.commands: list[str] = []

    def _execute_module(self, **call: Any) -> Any:
        self.asked.append((call["module_args"], call["wrap_async"], self._task.async_val))
        run = self.runs.pop(0)
        if isinstance(run, BaseException):
            raise run
        return run

    def _low_level_execute_command(self, cmd: str, *_: Any, **__: Any) -> Any:
        self.commands.append(cmd)
        if not cmd.startswith("cat "):
            return {"stdout": ""}
        look = self.looks.pop(0)
        if isinstance(look, BaseException):
            raise look
        record, alive, result = look
        return {"stdout": f"{record}{plugin.MARK}\n{alive}\n{plugin.MARK}{result}"}


# as async_wrapper of ansible-core 2.19 writes it; 2.20 and 2.21 write the same
WARNED = """{"changed": true, "pending": false, "models": [], "warnings": [
  {"event": {"msg": "NO_PROXY of this host …", "__ansible_type": "Event"},
   "__ansible_type": "WarningSummary"}], "deprecations": [
  {"event": {"msg": "old", "__ansible_type": "Event"}, "date": "2030-01-01",
   "__ansible_type": "DeprecationSummary"}]}"""
FAILED = """{"failed": true, "msg": "no room", "exception": {
  "event": {"msg": "no room", "formatted_traceback": "(traceback unavailable)",
   "__ansible_type": "Event"}, "__ansible_type": "ErrorSummary"}}"""


def test_warnings_of_a_background_pull_are_objects_of_ansible_core() -> None:
    host = Host([PLANNED, JOB], [("", "", WARNED)])
    result = host.run(task_vars={"inventory_hostname": "attic"})
    assert [warning.event.msg for warning in result["warnings"]] == ["NO_PROXY of this host …"]
    assert [one.event.msg for one in result["deprecations"]] == ["old"]
    assert "__ansible_type" not in str(result)


def test_an_error_of_a_background_pull_is_one_of_ansible_core() -> None:
    host = Host([PLANNED, JOB], [("", "", FAILED)])
    result = host.run(task_vars={"inventory_hostname": "attic"})
    assert (result["failed"], result["exception"].event.msg) == (True, "no room")


def test_a_module_encodes_its_warnings_as_the_tests_say() -> None:
    """What a real module prints is read back; with the ansible-core that runs the tests."""
    done = subprocess.run(
        [sys.executable, "-c", MODULE], check=True, capture_output=True, text=True
    )
    found = plugin.read_result(done.stdout)
    assert found is not None
    assert [warning.event.msg for warning in found["warnings"]] == ["careful"]


MODULE = """
import json
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
with patch_module_args({}):
    module = basic.AnsibleModule({})
    module.warn("careful")
    module.exit_json(changed=False)
"""


JOB = {"ansible_job_id": "j12.3", "results_file": "/Users/admin/.ansible_async/j12.3"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    monkeypatch.setattr(plugin.display, "display", lambda text, **_: said.append(text))
    monkeypatch.setattr(plugin, "POLL_S", 0.0)
    return said


def run(host: Host) -> dict[str, Any]:
    return host.run(task_vars={"inventory_hostname": "attic"})


def test_nothing_to_pull_is_one_run_of_the_module(quiet: list[str]) -> None:
    host = Host([DONE], [])
    assert run(host) == DONE
    assert host.asked == [({"store": STORE, "fetch": False}, False, 0)]
    assert (host.commands, quiet) == ([], [])


@pytest.mark.parametrize("args", [{"progress": False}, {"progress": "no"}, {"fetch": False}])
def test_silent_is_one_run_of_the_module_as_it_is(args: dict[str, Any], quiet: list[str]) -> None:
    host = Host([PLANNED], [], **args)
    assert run(host) == PLANNED
    assert host.asked == [({"store": STORE, **args}, False, 0)]
    assert quiet == []


def test_check_mode_tells_what_would_be_pulled(quiet: list[str]) -> None:
    host = Host([{**PLANNED, "pending": False}], [])
    host._task.check_mode = True
    run(host)
    assert host.asked == [({"store": STORE}, False, 0)]
    assert quiet == ["attic: would pull tiny, 100 bytes"]


def test_a_task_that_is_async_itself_stays_so() -> None:
    host = Host([JOB], [])
    host._task.async_val = 60
    assert run(host) == JOB
    assert host.asked == [({"store": STORE}, True, 60)]


def test_a_pull_runs_in_the_background_and_is_told(quiet: list[str]) -> None:
    looks = [
        ("", "alive", STARTED),
        (json.dumps(RECORD), "alive", STARTED),
        (json.dumps(RECORD), "", json.dumps(DONE)),
    ]
    host = Host([PLANNED, JOB], looks)
    assert run(host) == DONE
    assert host.asked[1] == ({"store": STORE}, True, plugin.JOB_LIMIT_S)
    assert host._task.async_val == 0
    assert quiet == ["attic: pulls tiny, 100 bytes", "attic: tiny: 40 %, 40 bytes of 100 bytes"]
    assert f"cat {STORE}/.closet.progress.json" in host.commands[0]
    assert host.commands[-1] == "rm -f /Users/admin/.ansible_async/j12.3"


def test_a_job_that_cannot_be_started_says_why() -> None:
    refused = {"failed": True, "msg": "could not create directory"}
    assert run(Host([PLANNED, refused], [])) == refused


def test_where_no_job_can_be_started_the_pull_runs_in_the_foreground(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Becoming an unprivileged account, on a system without the ACLs that ansible-core tries."""
    warned: list[str] = []
    monkeypatch.setattr(plugin.display, "warning", warned.append)
    host = Host([PLANNED, AnsibleError("Failed to set permissions"), DONE], [])
    assert run(host) == DONE
    assert host.asked[2] == ({"store": STORE}, False, 0)
    assert "it runs in the foreground: Failed to set permissions" in warned[0]


def test_a_lost_connection_is_not_a_reason_to_start_twice() -> None:
    host = Host([PLANNED, AnsibleConnectionFailure("gone")], [])
    with pytest.raises(AnsibleConnectionFailure):
        run(host)
    assert len(host.asked) == 2


def test_a_plan_that_fails_is_not_pulled() -> None:
    refused = {"failed": True, "msg": "the models do not fit"}
    assert run(Host([refused], [])) == refused


def test_a_connection_that_comes_back_is_no_matter() -> None:
    looks = [AnsibleConnectionFailure("gone")] * 3 + [("", "", json.dumps(DONE))]
    assert run(Host([PLANNED, JOB], looks)) == DONE


def test_a_host_that_stays_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "OUT_OF_SIGHT_S", -1.0)
    host = Host([PLANNED, JOB], [AnsibleConnectionFailure("gone")])
    with pytest.raises(AnsibleError, match="attic has not answered"):
        run(host)


def test_a_job_without_processes_and_result_was_cut_off() -> None:
    looks = [(json.dumps(RECORD), "alive", STARTED)] + [("", "", STARTED)] * plugin.POLLS_GONE
    result = run(Host([PLANNED, JOB], looks))
    assert result["failed"]
    assert "tiny: 40 %, 40 bytes of 100 bytes" in result["msg"]
    assert "Run again; it goes on from the byte it had reached." in result["msg"]


def sees_it_alive(command: str) -> bool:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return "alive" in done.stdout.split(plugin.MARK)[1]


def test_the_shell_that_looks_for_a_job_is_not_taken_for_it() -> None:
    host = Host([PLANNED, JOB], [("", "", json.dumps(DONE))])
    run(host)
    look = f"{host.commands[0]}; true"
    assert not sees_it_alive(look)
    # as ansible-core starts its wrapper on a host
    name = "/Users/admin/.ansible/tmp/1/AnsiballZ_async_wrapper.py"
    wrapper = ["bash", "-c", f'exec -a "python {name} j12 604800 " sleep 30']
    with subprocess.Popen(wrapper) as job:
        try:
            wait_for(lambda: sees_it_alive(look))
        finally:
            job.kill()


def wait_for(done: Callable[[], bool]) -> None:
    for _ in range(100):
        if done():
            return
        time.sleep(0.05)
    pytest.fail("it did not come true within 5 s")


def test_a_killed_module_has_a_sentence_instead_of_a_traceback() -> None:
    left = {"failed": True, "cmd": "/x", "data": "", "stderr": "", "msg": "Traceback …"}
    result = run(Host([PLANNED, JOB], [("", "", json.dumps(left))]))
    assert "the pull ended without a result" in result["msg"]
    assert "Traceback" not in result["msg"]


def test_a_refusal_of_the_module_is_handed_on() -> None:
    left = {"failed": True, "msg": "the disk of /x is full"}
    assert run(Host([PLANNED, JOB], [("", "", json.dumps(left))])) == left


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_the_play_ends_the_pull(ending: type[BaseException]) -> None:
    host = Host([PLANNED, JOB], [ending()])
    with pytest.raises(ending):
        run(host)
    assert "pkill -TERM -P" in host.commands[-1]


def test_where_the_record_is() -> None:
    host = Host([], [])
    at = host._record_path
    assert at({"store": "/s", "progress_path": "/p"}) == "/p"
    assert at({"store": "/s"}) == "/s/.closet.progress.json"

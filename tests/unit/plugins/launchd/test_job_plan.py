# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""have, want, plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd.drift import loaded_drift
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    FileKind,
    FileState,
    Have,
    JobError,
    Override,
    Presence,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.plan import plan
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import parse_job
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import stamped
from tests.unit.plugins.launchd.fake_launchd import Job, render

LABEL = "inference.closet.omlx"
PATH = f"/Library/LaunchDaemons/{LABEL}.plist"
PLIST: dict[str, Any] = {
    "Label": LABEL,
    "ProgramArguments": ["/opt/closet/omlx", "serve"],
    "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
    "EnvironmentVariables": {"HOME": "/Users/admin"},
    "StandardErrorPath": "/var/log/closet/omlx.log",
    "WorkingDirectory": "/Users/admin",
    "UserName": "admin",
    "Umask": 23,
    "ThrottleInterval": 30,
    "ExitTimeOut": 60,
}
ONCE: dict[str, Any] = {"Label": LABEL, "ProgramArguments": ["/usr/sbin/sysctl", "a=1"]}
OTHER = {**PLIST, "ProgramArguments": ["/opt/closet/omlx", "serve", "--old"]}
WANT = Want(LABEL, Domain("system"), PATH, plist=PLIST)
RIGHT_FILE = FileState(FileKind.PLIST, PLIST)
NOTHING = Have(Presence.ABSENT)


def have(plist: dict[str, Any] | None = None, file: FileState = RIGHT_FILE, **job: Any) -> Have:
    """A loaded job, running unless `pid` says otherwise."""
    state = {"pid": 7, "runs": 1, **job}
    text = render(f"system/{LABEL}", Job(plist or PLIST, PATH, **state))
    return Have(Presence.LOADED, parse_job(text, f"system/{LABEL}"), file)


def idle(plist: dict[str, Any] | None = None, runs: int = 1, last: str = "0") -> Have:
    return have(plist, FileState(FileKind.PLIST, plist or PLIST), pid=None, runs=runs, last=last)


def want(**changes: Any) -> Want:
    return replace(WANT, **changes)


DISABLED: dict[str, Any] = {"override": Override.DISABLED}
RELOAD = "bootout write bootstrap settle"
OLD_FILE = FileState(FileKind.PLIST, OTHER)
ONCE_WANT = want(plist=ONCE, state="loaded", completed=True)

TABLE: list[tuple[str, Want, Have, str]] = [
    ("nothing there", WANT, NOTHING, "write bootstrap settle"),
    ("file there, not loaded", WANT, replace(NOTHING, file=RIGHT_FILE), "bootstrap settle"),
    ("all as wanted", WANT, have(), ""),
    ("other file", WANT, have(file=OLD_FILE), RELOAD),
    ("file gone, still loaded", WANT, have(file=FileState()), RELOAD),
    ("file is a link", WANT, have(file=replace(RIGHT_FILE, kind=FileKind.LINK)), RELOAD),
    ("file is damaged", WANT, have(file=FileState(FileKind.BROKEN)), RELOAD),
    ("launchd runs an old definition", WANT, have(OTHER), "bootout bootstrap settle"),
    ("deferred: file only", want(on_change="defer"), have(OTHER, OLD_FILE), "write"),
    ("deferred: nothing to write", want(on_change="defer"), have(OTHER), ""),
    ("deferred until restarted", want(on_change="defer", state="restarted"), have(OTHER),
     "bootout bootstrap settle"),
    ("wrong mode", WANT, have(file=replace(RIGHT_FILE, mode=0o666)), "write"),
    ("wrong owner", WANT, have(file=replace(RIGHT_FILE, uid=501)), "write"),
    ("disabled, running", WANT, replace(have(), **DISABLED), "enable"),
    ("disabled, absent", WANT, replace(NOTHING, **DISABLED), "write enable bootstrap settle"),
    ("shall be disabled", want(enabled=False), have(), "disable"),
    ("disabled and absent, shall run", want(enabled=False), replace(NOTHING, **DISABLED),
     "write enable bootstrap disable settle"),
    ("store unreadable, running", WANT, replace(have(), override=Override.UNKNOWN), ""),
    ("store unreadable, absent", WANT, replace(NOTHING, override=Override.UNKNOWN),
     "write enable bootstrap settle"),
    ("Disabled in the plist counts without an entry", want(plist={**PLIST, "Disabled": True}),
     NOTHING, "write enable bootstrap settle"),
    ("idle", WANT, idle(), "kickstart settle"),
    ("idle is fine for loaded", want(state="loaded"), idle(), ""),
    ("crashing", WANT, idle(runs=87, last="1"), "kickstart settle"),
    ("on its way out", WANT, have(leaving=True), "bootout bootstrap settle"),
    ("on its way out, shall be stopped", want(state="stopped"), have(leaving=True), "bootout"),
    ("restarted", want(state="restarted"), have(), "stop kickstart settle"),
    ("restarted, idle", want(state="restarted"), idle(), "kickstart settle"),
    ("restarted, absent", want(state="restarted"), replace(NOTHING, file=RIGHT_FILE),
     "bootstrap settle"),
    ("restarted and other file", want(state="restarted"), have(file=OLD_FILE), RELOAD),
    ("stopped", want(state="stopped"), have(), "bootout"),
    ("stopped already", want(state="stopped"), replace(NOTHING, file=RIGHT_FILE), ""),
    ("stopped, new file", want(state="stopped"), NOTHING, "write"),
    ("stopped in a domain that is gone", want(state="stopped"),
     Have(Presence.NO_DOMAIN, file=RIGHT_FILE), ""),
    ("absent", want(state="absent"), have(), "bootout remove"),
    ("absent already", want(state="absent"), NOTHING, ""),
    ("absent, file left", want(state="absent"), replace(NOTHING, file=RIGHT_FILE), "remove"),
    ("absent leaves the store alone", want(state="absent"), replace(NOTHING, **DISABLED), ""),
    ("not started by itself", want(plist=ONCE), NOTHING, "write bootstrap kickstart settle"),
    ("runs once: new", ONCE_WANT, NOTHING, "write bootstrap kickstart complete"),
    ("runs once: done", ONCE_WANT, idle(ONCE), ""),
    ("runs once: never ran", ONCE_WANT, idle(ONCE, 0, "(never exited)"), "kickstart complete"),
    ("runs once: failed", ONCE_WANT, idle(ONCE, 1, "1"), "kickstart complete"),
    ("runs once: still at it", ONCE_WANT, have(ONCE, FileState(FileKind.PLIST, ONCE)), "complete"),
    ("foreign plist, running", want(plist=None), have(), ""),
    ("foreign plist, not loaded", want(plist=None), replace(NOTHING, file=RIGHT_FILE),
     "bootstrap settle"),
    ("foreign plist, wrong mode is not ours", want(plist=None),
     have(file=replace(RIGHT_FILE, mode=0o600)), ""),
    ("foreign plist, old definition loaded", want(plist=None), have(OTHER),
     "bootout bootstrap settle"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "there", "steps"), [row[1:] for row in TABLE],
                         ids=[row[0] for row in TABLE])  # fmt: skip
def test_steps(wanted: Want, there: Have, steps: str) -> None:
    found = plan(wanted, there)
    assert [step.value for step in found.steps] == steps.split()
    assert found.changed == bool(set(steps.split()) - {"settle", "complete"})


@pytest.mark.parametrize(
    ("wanted", "there", "said"),
    [
        (WANT, Have(Presence.UNKNOWN, probe="ended with 124"), "nothing was done"),
        (want(state="absent"), Have(Presence.UNKNOWN), "cannot tell"),
        (want(domain=Domain("gui/501", 501)), Have(Presence.NO_DOMAIN), "Use domain 'system'"),
    ],
)
def test_the_unknown_never_leads_to_a_step(wanted: Want, there: Have, said: str) -> None:
    with pytest.raises(JobError, match=said):
        plan(wanted, there)


def test_truncated_output_is_not_taken_for_an_idle_job() -> None:
    text = render(f"system/{LABEL}", Job(PLIST, PATH))[:60]
    there = Have(Presence.LOADED, parse_job(text, f"system/{LABEL}"), RIGHT_FILE)
    with pytest.raises(JobError, match="does not say whether it runs"):
        plan(WANT, there)


@pytest.mark.parametrize(
    ("loaded", "names"),
    [
        (PLIST, []),
        ({**PLIST, "ProgramArguments": ["/opt/closet/omlx"]}, ["arguments"]),
        ({**PLIST, "Program": "/opt/other"}, ["program"]),
        ({**PLIST, "ProgramArguments": ["/opt/other", "serve"]}, ["program", "arguments"]),
        ({**PLIST, "EnvironmentVariables": {"HOME": "/"}}, ["environment"]),
        ({**PLIST, "EnvironmentVariables": {}}, ["environment"]),
        ({**PLIST, "EnvironmentVariables": {"HOME": "/Users/admin", "X": "1"}}, ["environment"]),
        ({**PLIST, "WorkingDirectory": "/"}, ["working_directory"]),
        ({**PLIST, "StandardErrorPath": "/dev/null"}, ["stderr_path"]),
        ({**PLIST, "StandardOutPath": "/dev/null"}, ["stdout_path"]),
        ({**PLIST, "UserName": "root"}, ["username"]),
        ({**PLIST, "Umask": 63}, ["umask"]),
        ({**PLIST, "ThrottleInterval": 10}, ["minimum_runtime"]),
        ({**PLIST, "ExitTimeOut": 5}, ["exit_timeout"]),
        ({**PLIST, "KeepAlive": True}, ["keep_alive"]),
        ({**PLIST, "KeepAlive": {"SuccessfulExit": True, "Crashed": True}}, ["keep_alive"]),
        ({**PLIST, "ProcessType": "Interactive"}, ["process_type"]),
        ({**PLIST, "StartInterval": 60}, ["start_interval"]),
    ],
    ids=str,
)
def test_names_what_launchd_runs_differently(loaded: dict[str, Any], names: list[str]) -> None:
    job = have(loaded).job
    assert job is not None
    assert loaded_drift(PLIST, PATH, job) == names


OURS = stamped(PLIST, {"config": "a"})


@pytest.mark.parametrize(
    ("loaded", "names"),
    [
        (OURS, []),
        (stamped(PLIST, {"config": "b"}), ["restart_on"]),
        (stamped(PLIST, None), ["restart_on"]),
        (PLIST, ["definition", "restart_on"]),
        # not printed at all, or only by some releases
        (stamped({**PLIST, "Nice": 5}, {"config": "a"}), ["definition"]),
        (stamped({**PLIST, "SoftResourceLimits": {"NumberOfFiles": 1}}, {"config": "a"}),
         ["definition"]),
        (stamped({**PLIST, "InitGroups": False}, {"config": "b"}), ["definition", "restart_on"]),
        (stamped({k: v for k, v in PLIST.items() if k != "ExitTimeOut"}, {"config": "a"}),
         ["exit_timeout"]),
        # launchd has just this definition: how it prints the rest is its own affair
        ({**OURS, "UserName": "_admin", "Umask": 0}, []),
        # but what it runs is not
        ({**OURS, "ProgramArguments": ["/opt/closet/omlx"]}, ["arguments"]),
    ],
    ids=str,
)  # fmt: skip
def test_the_stamp_tells_what_launchd_does_not_print(
    loaded: dict[str, Any], names: list[str]
) -> None:
    job = have(loaded).job
    assert job is not None
    assert loaded_drift(OURS, PATH, job) == names


def test_a_file_edited_by_hand_differs_from_the_job_though_it_has_its_stamp() -> None:
    job = have(OURS).job
    assert job is not None
    assert loaded_drift({**OURS, "Nice": 5}, PATH, job) == ["definition"]


def test_run_at_load_is_compared_where_nothing_else_implies_it() -> None:
    job = have({**ONCE, "RunAtLoad": True}).job
    assert job is not None
    assert loaded_drift(ONCE, PATH, job) == ["run_at_load"]
    assert loaded_drift({**ONCE, "KeepAlive": True}, PATH, job) == ["keep_alive"]


def test_a_job_loaded_from_another_path_is_noticed() -> None:
    found = plan(want(path="/Library/LaunchAgents/x.plist"), have())
    assert "path" in found.drift
    assert found.changed


def test_a_line_that_is_missing_from_truncated_output_is_no_drift() -> None:
    text = render(f"system/{LABEL}", Job(PLIST, PATH, pid=7))
    job = parse_job(text[: text.index("\tworking directory")], f"system/{LABEL}")
    assert job is not None
    assert loaded_drift(PLIST, PATH, job) == []


def test_a_script_as_argument_is_compared_too() -> None:
    script = {**PLIST, "ProgramArguments": ["/bin/sh", "-c", "set -eu\n\tf() {\n\t}\nf\n"]}
    job = have(script).job
    assert job is not None
    assert loaded_drift(script, PATH, job) == []
    other = {**PLIST, "ProgramArguments": ["/bin/sh", "-c", "set -eu\n\tg() {\n\t}\ng\n"]}
    assert loaded_drift(other, PATH, job) == ["arguments"]


def test_one_and_true_are_different_in_a_plist() -> None:
    wanted = want(plist={**ONCE, "RunAtLoad": True}, state="loaded")
    there = have(ONCE, FileState(FileKind.PLIST, {**ONCE, "RunAtLoad": 1}))
    assert "file" in plan(wanted, there).drift

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, what only warns in check mode, what is told, and what it costs."""

from __future__ import annotations

import datetime
import json
import os
import plistlib
import pwd
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd.dates import (
    unwrapped,
    wrapped,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.explain import explain
from ansible_collections.closet.inference.plugins.module_utils.launchd.info import describe_jobs
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import STARTED_WITH
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import (
    fingerprint,
    read_stamp,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed
from tests.unit.plugins.advice.pasted import commands, paste
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac

TARGET = f"system/{LABEL}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"label": ""}, "a job needs a label"),
        ({"label": "system/a"}, "contains a slash"),
        ({"label": "a b"}, "a character that a label cannot have"),
        ({"label": "a" * 300}, "longer than 200 bytes"),
        ({"domain": "gui"}, "is not a domain"),
        ({"domain": "root"}, "is not a domain"),
        ({"path": "jobs/a.plist"}, "path must be absolute"),
        ({"plist": {"Label": "b", "Program": "/bin/ls"}}, "the plist says Label 'b'"),
        ({"plist": {"Program": "ls"}}, "must be an absolute path"),
        ({"restart_on": ["a"]}, "it needs `plist`"),
        ({"completed": True}, "with state 'loaded' or 'restarted'"),
        (
            {
                "completed": True,
                "state": "loaded",
                "plist": {"Program": "/bin/ls", "KeepAlive": True},
            },
            "never completes",
        ),
        ({"settle_s": -1}, "must not be negative"),
    ],
    ids=str,
)
def test_wrong_arguments_have_their_own_sentence(
    mac: Mac, arguments: dict[str, Any], said: str
) -> None:
    for check in (False, True):
        result = mac.job(check=check, **arguments)
        assert said in result["msg"]
        assert not result["changed"]
    assert mac.launchd.calls == []


def lacking(mac: Mac) -> list[tuple[dict[str, Any], str]]:
    folder = mac.folder
    return [
        (mac.server(ProgramArguments=[f"{folder}/gone"]), "does not exist"),
        (mac.server(ProgramArguments=[f"{folder}"]), "is not an executable file"),
        (mac.server(UserName="nobody-here"), "the user 'nobody-here'"),
        (mac.server(GroupName="nobody-here"), "the group 'nobody-here'"),
        (mac.server(WorkingDirectory=f"{folder}/gone"), "its working directory"),
        (mac.server(StandardErrorPath=f"{folder}/gone/log"), "would make it for root only"),
        (mac.server(StandardOutPath=str(folder)), "is a folder"),
    ]


@pytest.mark.parametrize("number", range(7))
def test_what_another_task_may_still_make_only_warns_in_check_mode(mac: Mac, number: int) -> None:
    plist, said = lacking(mac)[number]
    predicted = mac.job(check=True, plist=plist)
    assert not predicted.get("failed")
    assert predicted["changed"]
    assert said in predicted["warnings"][0]
    result = mac.job(plist=plist)
    assert said in result["msg"]
    assert not result["changed"]
    assert not mac.path.exists()
    assert set(mac.launchd.verbs()) == {"print", "print-disabled"}


def test_a_log_folder_that_the_job_s_user_cannot_write_is_refused(mac: Mac) -> None:
    user = next(account for account in pwd.getpwall() if account.pw_uid != 0)
    logs = mac.folder / "logs"
    logs.mkdir(mode=0o700)
    if logs.stat().st_uid == user.pw_uid:
        pytest.skip("the only other user is us")
    plist = mac.server(UserName=user.pw_name, StandardErrorPath=str(logs / "err"))
    assert f"the user '{user.pw_name}' cannot write" in mac.job(plist=plist)["msg"]


def test_a_missing_folder_for_the_plist_is_refused(mac: Mac) -> None:
    result = mac.job(plist=mac.server(), path=str(mac.folder / "gone" / "a.plist"))
    assert "for the plist does not exist" in result["msg"]


def test_a_user_who_does_not_exist_yet_is_a_warning_in_check_mode(mac: Mac) -> None:
    predicted = mac.job(check=True, plist=mac.server(), domain="gui/nobody-here")
    assert predicted["changed"]
    assert "no user 'nobody-here'" in predicted["warnings"][0]
    assert "no user 'nobody-here'" in mac.job(plist=mac.server(), domain="gui/nobody-here")["msg"]


def write_foreign(mac: Mac, data: bytes, mode: int = 0o644) -> None:
    mac.path.write_bytes(data)
    mac.path.chmod(mode)


def test_a_foreign_plist_that_is_none_is_refused(mac: Mac) -> None:
    write_foreign(mac, b"not a plist")
    assert "is not a property list" in mac.job()["msg"]


def test_a_foreign_plist_with_another_label_is_refused(mac: Mac) -> None:
    write_foreign(mac, plistlib.dumps({"Label": "other", "Program": "/bin/ls"}))
    assert "has the Label 'other'" in mac.job()["msg"]


def test_a_foreign_plist_that_others_can_write_is_refused_with_the_command(mac: Mac) -> None:
    write_foreign(mac, plistlib.dumps({"Label": LABEL, **mac.server()}), 0o666)
    [command] = commands(mac.job()["msg"])
    paste(command)
    assert mac.job()["state_after"] == "running"


def test_a_foreign_binary_plist_is_run_and_not_touched(mac: Mac) -> None:
    data = plistlib.dumps({"Label": LABEL, **mac.server()}, fmt=plistlib.FMT_BINARY)
    write_foreign(mac, data)
    assert mac.job()["state_after"] == "running"
    assert not mac.job()["changed"]
    mac.job(state="stopped")
    assert mac.path.read_bytes() == data


def test_an_own_plist_is_made_right_again(mac: Mac) -> None:
    """Binary with the right content stays; a link, a damaged or an open one is replaced."""
    mac.job(plist=mac.server())
    text = mac.path.read_bytes()
    mac.path.write_bytes(plistlib.dumps(plistlib.loads(text), fmt=plistlib.FMT_BINARY))
    assert not mac.job(plist=mac.server())["changed"]
    mac.path.chmod(0o666)
    assert mac.job(plist=mac.server())["drift"] == ["file_mode"]
    assert mac.path.stat().st_mode & 0o777 == 0o644
    mac.path.write_text("damaged")
    assert mac.job(plist=mac.server())["drift"] == ["file"]
    elsewhere = mac.folder / "elsewhere"
    mac.path.rename(elsewhere)
    mac.path.symlink_to(elsewhere)
    assert mac.job(plist=mac.server())["drift"] == ["file"]
    assert not mac.path.is_symlink()
    assert mac.path.read_bytes() == text


def test_a_quarantined_plist_of_ours_is_written_anew(mac: Mac) -> None:
    """launchd refuses a file with the mark of a download; one that we write has none."""
    mac.job(plist=mac.server())
    mac.job(plist=mac.server(), state="stopped")
    mac.launchd.quarantined.add(str(mac.path))
    predicted = mac.job(check=True, plist=mac.server())
    result = mac.job(plist=mac.server())
    assert predicted["steps"] == result["steps"] == ["write", "bootstrap", "settle"]
    assert result["drift"] == ["file_quarantine", "loaded"]


def test_a_quarantined_plist_that_is_not_ours_is_refused_with_the_command(mac: Mac) -> None:
    write_foreign(mac, plistlib.dumps({"Label": LABEL, **mac.server()}))
    mac.launchd.quarantined.add(str(mac.path))
    said = mac.job()["msg"]
    assert "carries a quarantine mark" in said
    assert f"sudo xattr -d com.apple.quarantine {mac.path}" in said
    assert "bootstrap" not in mac.launchd.verbs()


def test_a_folder_in_the_way_is_refused(mac: Mac) -> None:
    mac.path.mkdir()
    assert "is not a file; move it out of the way" in mac.job(plist=mac.server())["msg"]


def test_types_survive_the_plist(mac: Mac) -> None:
    """Through JSON too, which is what lies between a task and the module."""
    moment = datetime.datetime(2026, 11, 24, 3, 4, 5)
    plist = mac.server(
        RunAtLoad=True,
        Nice=0,
        StartCalendarInterval=[{"Hour": 3, "Minute": 0}],
        Umask="027",
        LaunchEvents={"a.b": {"c": {"When": moment, "What": b"\x00\xff", "Much": 0.5}}},
    )
    mac.job(plist=json.loads(json.dumps(wrapped(plist))))
    written = plistlib.loads(mac.path.read_bytes())
    assert list(written.pop("EnvironmentVariables")) == [STARTED_WITH]
    assert written == {"Label": LABEL, **plist}
    assert type(written["Nice"]) is int
    assert mac.path.stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime.date(2026, 11, 24), datetime.datetime(2026, 11, 24)),
        (
            datetime.datetime.fromisoformat("2026-11-24T03:00:00+02:00"),
            datetime.datetime(2026, 11, 24, 1),
        ),
        ({"__plist_date__": "no date"}, {"__plist_date__": "no date"}),
        ({"__plist_data__": "no data!"}, {"__plist_data__": "no data!"}),
        ([1, True, "x", None], [1, True, "x", None]),
    ],
)
def test_dates_become_utc_and_lookalikes_stay(given: Any, kept: Any) -> None:
    assert unwrapped(json.loads(json.dumps(wrapped({"a": [given]})))) == {"a": [kept]}


def test_a_call_without_a_change_costs_two_processes_and_no_wait(mac: Mac) -> None:
    mac.job(plist=mac.server())
    assert not mac.job(plist=mac.server())["changed"]
    assert mac.launchd.verbs() == ["print-disabled", "print"]
    assert mac.launchd.slept == 0


def many(mac: Mac, count: int = 3) -> list[dict[str, Any]]:
    return [
        {"label": f"a.{n}", "path": str(mac.folder / f"a.{n}.plist"), "plist": mac.server()}
        for n in range(count)
    ]


def test_many_jobs_settle_side_by_side_and_read_the_store_once(mac: Mac) -> None:
    results = mac.jobs(many(mac, 20))
    assert [result["label"] for result in results] == [f"a.{n}" for n in range(20)]
    assert all(result["changed"] for result in results)
    assert mac.launchd.slept < 10
    assert not any(result["changed"] for result in mac.jobs(many(mac, 20)))
    assert len(mac.launchd.calls) == 21
    assert mac.launchd.slept == 0


def test_a_job_that_fails_does_not_hide_the_others(mac: Mac) -> None:
    wanted = many(mac)
    wanted[1]["plist"] = {"Programm": "/bin/ls"}
    results = mac.jobs(wanted)
    assert [bool(result.get("failed")) for result in results] == [False, True, False]
    assert [result["changed"] for result in results] == [True, False, True]
    assert "did you mean 'Program'?" in results[1]["msg"]


def test_one_job_twice_is_refused(mac: Mac) -> None:
    wanted = many(mac, 1) * 2
    results = mac.jobs(wanted)
    assert "given twice" in results[1]["msg"]


def test_the_diff_shows_plist_and_state_and_no_secret(mac: Mac) -> None:
    secret = {"OMLX_API_KEY": "sk-one", "HOME": "/x"}
    mac.job(plist=mac.server(EnvironmentVariables=secret))
    changed = {**secret, "OMLX_API_KEY": "sk-two"}
    result = mac.job(check=True, plist=mac.server(EnvironmentVariables=changed, Nice=1))
    file, state = result["diff"]
    assert "sk-" not in str(result)
    assert file["before"] != file["after"]
    assert "<string>(hidden, another value)</string>" in file["after"]
    assert "<key>Nice</key>" in file["after"]
    assert state["before"].splitlines() == [
        "enabled: true",
        "state: running",
        "differs in: file, environment",
    ]
    assert "by: bootout, write, bootstrap" in state["after"]


def test_no_diff_without_a_change(mac: Mac) -> None:
    mac.job(plist=mac.server())
    assert mac.job(plist=mac.server())["diff"] == []


def test_values_of_restart_on_are_never_told(mac: Mac) -> None:
    result = mac.job(plist=mac.server(), restart_on={"key": "sk-secret"})
    assert "sk-secret" not in str(result)
    variables = plistlib.loads(mac.path.read_bytes())["EnvironmentVariables"]
    stamp = read_stamp(variables)
    assert stamp is not None
    assert stamp.restart_on == fingerprint({"key": "sk-secret"})
    assert list(variables) == [STARTED_WITH]


def test_not_being_root_is_said_before_anything_is_done(
    mac: Mac, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert "run the task with become" in mac.job(plist=mac.server())["msg"]
    assert not mac.path.exists()


@pytest.mark.parametrize(
    ("code", "said", "following"),
    [
        (5, "Input/output error", "launchctl print system/a"),
        (119, "Service is disabled", "launchctl enable system/a"),
        (122, "bad ownership", "chown 0:0 '/x y' && sudo chmod 0644 '/x y'"),
        (125, "needs a login", "launchctl print system/a"),
        (150, "System Integrity Protection", "launchctl print system/a"),
        (155, "quarantine", "xattr -d com.apple.quarantine '/x y'"),
        (999, "launchctl error 999", "launchctl print system/a"),
    ],
)
def test_an_error_says_code_meaning_and_next_command(code: int, said: str, following: str) -> None:
    argv = ("/bin/launchctl", "bootstrap", "system", "/x y")
    text = explain(Completed(argv, code, "", "it failed\n"), "system/a", "/x y")
    assert f"`/bin/launchctl bootstrap system '/x y'` ended with {code}" in text
    assert said in text
    assert text.endswith(f"Next: `sudo {following}`")


def test_info_describes_what_launchd_has_and_what_differs(mac: Mac) -> None:
    variables = {"API_KEY": "sk", "HOME": "/x"}
    mac.job(plist=mac.server(EnvironmentVariables=variables))
    loaded = mac.written(EnvironmentVariables=variables, ThrottleInterval=10)
    mac.launchd.jobs[TARGET].definition = loaded
    mac.launchd.load("com.example.other", mac.server(), "/nowhere")
    found = describe_jobs(Launchctl(mac.launchd), "system", None, "inference.closet.")
    assert [job["label"] for job in found] == [LABEL]
    job = found[0]
    assert job["drift"] == ["minimum_runtime"]
    assert (job["state"], job["runs"], job["override"]) == ("running", 1, "unset")
    assert (job["throttle_s"], job["exit_timeout_s"]) == (10, 60)
    assert job["environment"]["HOME"] == "/x"
    assert job["environment"]["API_KEY"] == "(hidden)"


def test_info_of_a_job_that_is_not_there(mac: Mac) -> None:
    mac.launchd.disabled["a.b"] = True
    [job] = describe_jobs(Launchctl(mac.launchd), "system", "a.b", None)
    assert (job["state"], job["override"], job["drift"]) == ("absent", "disabled", [])
    assert job["pid"] is None

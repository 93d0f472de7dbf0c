# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two modules as Ansible calls them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.closet.inference.plugins.modules import launchd_job, launchd_job_info
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac


def call(
    module: Any,
    mac: Mac,
    arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> dict[str, Any]:
    monkeypatch.setattr(module, "Runner", lambda: mac.launchd)
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.fixture
def ask(mac: Mac, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def job(module: Any = launchd_job, **arguments: Any) -> dict[str, Any]:
        return call(module, mac, arguments, monkeypatch, capsys)

    return job


def test_one_job(ask: Any, mac: Mac) -> None:
    wanted = {"label": LABEL, "path": str(mac.path), "plist": mac.server()}
    first = ask(**wanted, _ansible_diff=True)
    assert (first["changed"], first["state_after"]) == (True, "running")
    assert first["diff"][0]["before_header"] == str(mac.path)
    again = ask(**wanted)
    assert "diff" not in again
    assert (again["changed"], again["drift"], again["pid"]) == (False, [], first["pid"])


def test_many_jobs_with_one_that_fails(ask: Any, mac: Mac) -> None:
    good = {"label": "a.good", "path": f"{mac.folder}/a.good.plist", "plist": mac.server()}
    bad = {"label": "a.bad", "path": f"{mac.folder}/a.bad.plist", "plist": {"Programm": "/x"}}
    answer = ask(jobs=[bad, good])
    assert answer["failed"]
    assert answer["changed"]
    assert answer["msg"].startswith("1 of 2 jobs failed: a.bad: ")
    assert [job["label"] for job in answer["jobs"]] == ["a.bad", "a.good"]
    assert answer["jobs"][1]["state_after"] == "running"


@pytest.mark.parametrize("arguments", [{}, {"label": "a", "jobs": []}])
def test_a_label_or_jobs(ask: Any, arguments: dict[str, Any]) -> None:
    assert ask(**arguments)["failed"]


def test_check_mode(ask: Any, mac: Mac) -> None:
    wanted = {"label": LABEL, "path": str(mac.path), "plist": mac.server()}
    predicted = ask(**wanted, _ansible_check_mode=True)
    assert predicted["changed"]
    assert predicted["steps"] == ["write", "bootstrap", "settle"]
    assert not mac.path.exists()


def test_warnings_reach_the_user(ask: Any, mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    # not by the answer: where Ansible's own display was imported, it goes there
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warned.append(text))
    plist = mac.server(ProgramArguments=["/nowhere/omlx"])
    ask(label=LABEL, path=str(mac.path), plist=plist, _ansible_check_mode=True)
    assert "/nowhere/omlx" in warned[0]


def test_info(ask: Any, mac: Mac) -> None:
    ask(label=LABEL, path=str(mac.path), plist=mac.server())
    answer = ask(launchd_job_info, label=LABEL)
    assert (answer["changed"], answer["jobs"][0]["state"]) == (False, "running")
    assert ask(launchd_job_info, label=LABEL, domain="gui/nobody-here")["failed"]

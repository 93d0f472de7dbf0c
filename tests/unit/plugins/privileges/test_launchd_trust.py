# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job of the system domain may start, whose logs root makes, who asks it to end."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.acting import Processes
from ansible_collections.closet.inference.plugins.module_utils.launchd.apply import Apply
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    Have,
    Presence,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout
from ansible_collections.closet.inference.plugins.module_utils.launchd.trust import (
    missing_logs,
    unsafe_parts,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner


@pytest.fixture
def program(place: Path) -> Path:
    path = place / "serve"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_job_of_roots_own_parts_is_in_order(place: Path, program: Path) -> None:
    plist = {
        "ProgramArguments": [str(program), f"--config={place}", str(place), "/not/there"],
        "WorkingDirectory": str(place),
        "EnvironmentVariables": {"PATH": "/usr/bin:/bin"},
    }
    assert unsafe_parts(plist) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"ProgramArguments": ["{home}/serve"]},
            "its program {home}/serve can be changed by nobody",
        ),
        ({"Program": "{home}/serve"}, "its program {home}/serve"),
        ({"ProgramArguments": ["/bin/sh", "{home}/serve"]}, "its argument {home}/serve"),
        ({"ProgramArguments": ["{place}/script"]}, "its interpreter {home}/serve"),
        ({"WorkingDirectory": "{home}"}, "its working directory {home}"),
        ({"EnvironmentVariables": {"PATH": "/bin:{home}"}}, "in its PATH {home}"),
        ({"EnvironmentVariables": {"PYTHONPATH": "{home}"}}, "in its PYTHONPATH {home}"),
    ],
)
def test_what_an_account_can_change_is_not_for_root(
    place: Path, home: Path, keys: dict[str, Any], words: str
) -> None:
    for path in (home / "serve", place / "script"):
        path.write_text(f"#!{home}/serve\n")
        path.chmod(0o755)

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("{home}", str(home)).replace("{place}", str(place))
        if isinstance(value, list):
            return [filled(one) for one in value]
        return {name: filled(one) for name, one in value.items()}

    plist = filled(keys)
    found = unsafe_parts(plist)
    assert filled(words) in found[0]
    assert "and the job runs as root; run `sudo chown root" in found[0]
    # its own account may change all of it
    assert unsafe_parts({**plist, "UserName": "nobody"}) == []
    assert unsafe_parts({**plist, "UserName": "daemon"}) != [] or "its argument" in words


def test_root_makes_the_log_that_the_account_cannot(place: Path, home: Path) -> None:
    log = f"{place}/serve.launchd.log"
    plist = {"UserName": "nobody", "StandardOutPath": log, "StandardErrorPath": log}
    assert missing_logs(plist) == (log,)
    assert missing_logs({**plist, "UserName": "root"}) == ()
    assert missing_logs({**plist, "StandardOutPath": f"{home}/log"}) == (log,)
    Path(log).touch()
    assert missing_logs(plist) == ()
    os.unlink(log)  # noqa: PTH108
    place.chmod(0o700)
    assert missing_logs(plist) == (), "the account could not open it"


class Asked(Runner):
    """Notes what ran, and as whom."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []
        self.who = "root"

    def run(self, argv: Sequence[str], *_words: Any, **_named: Any) -> Completed:
        self.ran.append((self.who, argv[0]))
        return Completed(tuple(argv), 0, "", "")

    def acting_as(self, account: Account, home: str = "") -> Asked:
        other = Asked()
        other.ran, other.who = self.ran, account.name
        return other


@pytest.mark.parametrize(
    ("shown", "plist", "who"),
    [
        ({"username": "nobody"}, {}, "nobody"),
        ({}, {"UserName": "nobody"}, "nobody"),
        # what runs counts, not what the file says it shall run as
        ({"username": "nobody"}, {"UserName": "root"}, "nobody"),
        ({}, {}, "root"),
    ],
)
def test_before_stop_runs_as_the_job_s_own_user(
    shown: dict[str, str], plist: dict[str, str], who: str
) -> None:
    runner = Asked()
    want = Want("a", Domain("system"), "/a.plist", plist=plist, before_stop=("/drain",))
    job = Printout("system/a", {"state": "running", "pid": "7", **shown})
    have = Have(Presence.LOADED, job)
    apply = Apply(Launchctl(runner), want, have, Processes())
    apply._before_stop()
    assert runner.ran == [(who, "/drain")]


def test_the_log_is_made_for_the_account(place: Path, nobody: int) -> None:
    log = f"{place}/serve.launchd.log"
    plist = {"UserName": "nobody", "StandardOutPath": log}
    want = Want("a", Domain("system"), "/a.plist", plist=plist)
    have = Have(Presence.ABSENT, missing_logs=(log,))
    apply = Apply(Launchctl(Asked()), want, have, Processes())
    apply.act([Step.MAKE_LOG])
    status = Path(log).stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode), status.st_size) == (nobody, 0o600, 0)

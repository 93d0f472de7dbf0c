# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of keys: what is taken, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import check_plist

SERVER: dict[str, Any] = {"ProgramArguments": ["/opt/closet/omlx", "serve"]}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"ExitTimeout": 60}, "did you mean 'ExitTimeOut'?"),
        ({"keepalive": True}, "did you mean 'KeepAlive'?"),
        ({"EnviromentVariables": {}}, "did you mean 'EnvironmentVariables'?"),
        ({"KeepAlive": {"SuccesfulExit": False}}, "did you mean 'SuccessfulExit'?"),
        ({"SoftResourceLimits": {"NumberOfFile": 1}}, "did you mean 'NumberOfFiles'?"),
        ({"zork": 1}, "unknown key 'zork'; launchd would ignore it"),
        ({"ThrottleInterval": "30"}, "ThrottleInterval must be a whole number"),
        ({"ThrottleInterval": True}, "ThrottleInterval must be a whole number"),
        ({"ThrottleInterval": 1.5}, "ThrottleInterval must be a whole number"),
        ({"RunAtLoad": "yes"}, "RunAtLoad must be true or false"),
        ({"RunAtLoad": 1}, "RunAtLoad must be true or false"),
        ({"KeepAlive": "true"}, "KeepAlive must be a dictionary"),
        ({"EnvironmentVariables": {"PORT": 8000}}, "write '8000' in quotes"),
        ({"StandardOutPath": "logs/out"}, "StandardOutPath must be an absolute path"),
        ({"WorkingDirectory": "~/x"}, "launchd expands no '~'"),
        ({"ProcessType": "interactive"}, "must be one of Standard"),
        ({"StartCalendarInterval": [{"Hour": 24}]}, "Hour must be at most 23"),
        ({"StartInterval": 0}, "StartInterval must be at least 1"),
        ({"Umask": "rw"}, "Umask must be a number or an octal text"),
        ({"ProgramArguments": []}, "ProgramArguments must not be an empty list"),
        ({"ProgramArguments": ["omlx"]}, "'omlx' is not an absolute path"),
        ({"ProgramArguments": ["/bin/sh", 1]}, "ProgramArguments[1] must be text"),
        ({"Program": None}, "Program must be text, not nothing"),
        ({"UserName": ""}, "UserName must not be empty"),
        ({"LaunchEvents": {"a": {"b": None}}}, "which a property list cannot hold"),
        ({"EnvironmentVariables": {"A": "x\x00"}}, "a character that a property list"),
    ],
    ids=str,
)
def test_refuses_what_launchd_would_take_silently(entry: dict[str, Any], said: str) -> None:
    problems = check_plist({**SERVER, **entry})
    assert len([problem for problem in problems if said in problem]) == 1, problems


@pytest.mark.parametrize(
    "entry",
    [
        {"KeepAlive": True},
        {"KeepAlive": {"SuccessfulExit": False, "Crashed": True}},
        {"KeepAlive": {"PathState": {"/tmp/x": True}}},
        {"ThrottleInterval": 30, "ExitTimeOut": 60, "Nice": -5},
        {"Umask": 63},
        {"Umask": "027"},
        {"StartCalendarInterval": {"Hour": 3, "Minute": 0}},
        {"StartCalendarInterval": [{"Weekday": 1}, {"Weekday": 7}]},
        {"LimitLoadToSessionType": ["Aqua", "Background"]},
        {"LimitLoadToSessionType": "Background"},
        {"SoftResourceLimits": {"NumberOfFiles": 4096}},
        {"Sockets": {"Listeners": {"SockServiceName": "8000", "SockType": "stream"}}},
        {"Sockets": {"Listeners": [{"SockPathName": "/var/run/x", "SockPathMode": 438}]}},
        {"MachServices": {"com.example.x": True, "com.example.y": {"ResetAtClose": True}}},
        {"LaunchEvents": {"com.apple.iokit.matching": {"x": {"IOMatchLaunchStream": True}}}},
        {"AssociatedBundleIdentifiers": "com.example.app"},
        {"Program": "/bin/sh", "ProgramArguments": ["sh", "-c", "exit 0"]},
        {"WatchPaths": ["/etc"], "EnvironmentVariables": {"HOME": "/Users/admin"}},
    ],
    ids=str,
)
def test_takes_what_launchd_knows(entry: dict[str, Any]) -> None:
    assert check_plist({**SERVER, **entry}) == []


def test_something_has_to_run() -> None:
    assert check_plist({"RunAtLoad": True}) == [
        "neither Program nor ProgramArguments says what to run"
    ]

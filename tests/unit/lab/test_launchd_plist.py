"""What the double's launchd takes from a plist, and what it refuses with which number."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path
from typing import Any

import pytest

from lab.launchd import plist
from lab.launchd.calendar_interval import CalendarSpec
from lab.launchd.errors import LaunchdError
from lab.launchd.plist import JobDefinition, KeepAlive

MINIMAL = {"Label": "x", "ProgramArguments": ["/bin/true"]}
OWN = frozenset((0, os.getuid()))


def parsed(**keys: Any) -> JobDefinition:
    return plist.parse({**MINIMAL, **keys})[0]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (["not", "a", "dictionary"], 109),
        ({}, 110),
        ({"Label": 7, "ProgramArguments": ["/bin/true"]}, 110),
        ({"Label": "", "ProgramArguments": ["/bin/true"]}, 110),
        ({"Label": "x"}, 111),
        ({"Label": "x", "ProgramArguments": []}, 111),
        ({"Label": "x", "ProgramArguments": ["/bin/true", 7]}, 111),
        ({"Label": "x", "ProgramArguments": "/bin/true"}, 111),
    ],
)
def test_refused(raw: Any, code: int) -> None:
    with pytest.raises(LaunchdError) as refusal:
        plist.parse(raw)
    assert refusal.value.code == code


def test_defaults() -> None:
    job = parsed()
    assert (job.throttle_s, job.exit_timeout_s) == (10, 5)
    assert (job.run_at_load, job.keep_alive, job.init_groups) == (False, KeepAlive(), True)
    assert job.executable == "/bin/true"


@pytest.mark.parametrize(
    ("key", "value", "attribute", "expected"),
    [
        ("ThrottleInterval", 30, "throttle_s", 30),
        ("ThrottleInterval", 0, "throttle_s", 10),
        ("ThrottleInterval", True, "throttle_s", 10),
        ("ExitTimeOut", 60, "exit_timeout_s", 60),
        ("ExitTimeOut", 0, "exit_timeout_s", 0),
        ("ExitTimeout", 60, "exit_timeout_s", 5),
        ("StartInterval", 3600, "start_interval_s", 3600),
        ("StartInterval", 0, "start_interval_s", None),
        ("StartInterval", -5, "start_interval_s", None),
        ("Umask", 63, "umask", 0o77),
        ("Umask", "077", "umask", 0o77),
        ("Umask", "63", "umask", 0o77),
        ("Umask", "0x3f", "umask", 0o77),
        ("Umask", "rw", "umask", None),
        ("KeepAlive", True, "keep_alive", KeepAlive(always=True)),
        ("KeepAlive", "yes", "keep_alive", KeepAlive()),
        (
            "KeepAlive",
            {"SuccessfulExit": False, "Crashed": True, "PathState": {"/a": False}},
            "keep_alive",
            KeepAlive(successful_exit=False, crashed=True, path_state=(("/a", False),)),
        ),
        ("RunAtLoad", 1, "run_at_load", False),
        ("EnvironmentVariables", {"A": "1", "B": 2}, "environment", (("A", "1"),)),
        ("StartCalendarInterval", {"Minute": 30}, "calendar", (CalendarSpec(minute=30),)),
        (
            "StartCalendarInterval",
            [{"Hour": 1}, {"Weekday": 7}],
            "calendar",
            (CalendarSpec(hour=1), CalendarSpec(weekday=7)),
        ),
        ("LimitLoadToSessionType", "Background", "session_types", ("Background",)),
        ("LimitLoadToSessionType", ["Aqua", "Background"], "session_types", ("Aqua", "Background")),
    ],
)
def test_key(key: str, value: Any, attribute: str, expected: Any) -> None:
    assert getattr(parsed(**{key: value}), attribute) == expected


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("ThrottleInterval", 0, "You're not that important."),
        ("RunAtLoad", "true", "RunAtLoad"),
        ("Sockets", {}, "does not model Sockets"),
        ("KeepAlive", {"NetworkState": True}, "KeepAlive.NetworkState"),
        ("EnvironmentVariables", {"B": 2}, "EnvironmentVariables.B"),
    ],
)
def test_ignored_is_said(key: str, value: Any, words: str) -> None:
    _, ignored = plist.parse({**MINIMAL, key: value})
    assert [line for line in ignored if words in line]


def written(path: Path, content: bytes | None = None, mode: int = 0o644) -> Path:
    path.write_bytes(plistlib.dumps(MINIMAL) if content is None else content)
    path.chmod(mode)
    return path


def read_code(path: Path) -> int:
    with pytest.raises(LaunchdError) as refusal:
        plist.read(path, OWN)
    return refusal.value.code


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o444])
def test_file_of_right_mode_loads(tmp_path: Path, mode: int) -> None:
    assert plist.read(written(tmp_path / "x.plist", mode=mode), OWN)[0].label == "x"


def test_binary_plist_loads(tmp_path: Path) -> None:
    content = plistlib.dumps(MINIMAL, fmt=plistlib.FMT_BINARY)
    assert plist.read(written(tmp_path / "x.plist", content), OWN)[0].label == "x"


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_file_others_could_write_is_refused(tmp_path: Path, mode: int) -> None:
    assert read_code(written(tmp_path / "x.plist", mode=mode)) == 122


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.plist")
    os.chown(path, 501, 20)
    assert read_code(path) == 122


def test_missing_folder_and_garbage(tmp_path: Path) -> None:
    assert read_code(tmp_path / "none.plist") == 2
    assert read_code(tmp_path) == 122
    assert read_code(written(tmp_path / "x.plist", b"not a plist")) == 109
    assert read_code(written(tmp_path / "y.plist", b"<?xml version='1.0'?><plist><dict>")) == 109


def test_symlink_loads_when_asked_for(tmp_path: Path) -> None:
    link = tmp_path / "link.plist"
    link.symlink_to(written(tmp_path / "x.plist"))
    assert plist.read(link, OWN)[0].label == "x"

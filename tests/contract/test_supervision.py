"""What launchd does to processes: starting, restarting, ending, files, identity."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.contract.harness import NOBODY, Launchctl

SLEEP = ("/bin/sleep", "1000")


def wait_for(path: Path, text: str = "", seconds: float = 10) -> str:
    """Wait until a file has a line with the text, and return the file."""
    deadline = time.monotonic() + seconds
    while True:
        content = path.read_text(encoding="utf-8") if path.exists() else ""
        if "\n" in content and text in content:
            return content
        assert time.monotonic() < deadline, f"{path}: {content!r}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_dead(pid: int, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"{pid} lives"
        time.sleep(0.02)


# -- starting again ------------------------------------------------------------------------------


@pytest.mark.source("2", "2+")
def test_keep_alive_restarts_after_a_clean_exit_and_spaces_starts(launchctl: Launchctl) -> None:
    target = launchctl.load("loop", "/bin/sh", "-c", "exit 0", KeepAlive=True)
    started = time.monotonic()
    launchctl.wait(target, "state", "spawn scheduled")
    assert launchctl.value(target, "pid") is None
    launchctl.wait(target, "runs", "3")
    assert time.monotonic() - started > 1.5  # ThrottleInterval 1: two gaps
    assert launchctl.value(target, "last exit code") == "0"


@pytest.mark.source("2, F3", "2+")
def test_successful_exit_false_leaves_a_clean_exit_down(launchctl: Launchctl) -> None:
    script = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    keep = {"SuccessfulExit": False, "Crashed": True}
    target = launchctl.load("clean", "/bin/sh", "-c", script, KeepAlive=keep)
    launchctl.wait(target, "state", "running")
    time.sleep(0.2)  # the shell has to set its trap
    assert launchctl("kill", "TERM", target).returncode == 0
    launchctl.wait(target, "last exit code", "0")
    assert launchctl.value(target, "state") == "not running"
    assert "\tsemaphores = {\n\t\tsuccessful exit => 0\n\t\tafter crash => 1\n\t}\n" in (
        launchctl.text(target)
    )


@pytest.mark.source("2, F3", "2+")
def test_successful_exit_false_restarts_after_a_signal(launchctl: Launchctl) -> None:
    target = launchctl.load("signal", *SLEEP, KeepAlive={"SuccessfulExit": False})
    launchctl.wait(target, "state", "running")
    assert launchctl("kill", "TERM", target).returncode == 0
    launchctl.wait(target, "runs", "2")
    assert launchctl.value(target, "last terminating signal") == "Terminated: 15"
    launchctl.wait(target, "immediate reason", "semaphore")


@pytest.mark.source("2", "2+")
def test_start_interval(launchctl: Launchctl) -> None:
    target = launchctl.load("interval", "/bin/sh", "-c", "exit 0", StartInterval=1)
    assert launchctl.value(target, "run interval") == "1 seconds"
    assert launchctl.value(target, "runs") == "0"
    launchctl.wait(target, "runs", "2")


# -- ending --------------------------------------------------------------------------------------


@pytest.mark.source("1.5, 2", "2+")
def test_a_job_that_ignores_sigterm_is_killed_with_its_group(launchctl: Launchctl) -> None:
    out = launchctl.folder / "children"
    script = "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.05; done"
    target = launchctl.load(
        "deaf",
        "/bin/sh",
        "-c",
        script,
        RunAtLoad=True,
        ExitTimeOut=1,
        StandardOutPath=str(out),
    )
    child = int(wait_for(out))
    started = time.monotonic()
    assert launchctl("bootout", target).returncode in (0, 36)
    launchctl.wait_gone(target)
    assert 0.9 < time.monotonic() - started < 5
    wait_dead(child)


@pytest.mark.source("2", "2+, measured SIGTERM to the group")
@pytest.mark.parametrize("abandon", [False, True])
def test_children_of_a_dead_job(launchctl: Launchctl, abandon: bool) -> None:
    out = launchctl.folder / "children"
    script = "sleep 1000 & echo $!"
    keys = {"AbandonProcessGroup": abandon, "StandardOutPath": str(out), "RunAtLoad": True}
    target = launchctl.load("group", "/bin/sh", "-c", script, **keys)
    child = int(wait_for(out))
    launchctl.wait(target, "last exit code", "0")
    if abandon:
        assert alive(child)
        os.kill(child, 9)
    wait_dead(child)


# -- programs that cannot start ------------------------------------------------------------------


@pytest.mark.source("1.7, 12", "2+")
def test_missing_program_is_found_out_at_spawn(launchctl: Launchctl) -> None:
    target = launchctl.load("missing", "/nonexistent/program", KeepAlive=True)
    launchctl.wait(target, "last exit code", "78: EX_CONFIG")
    assert launchctl.value(target, "state") == "spawn scheduled"


@pytest.mark.source("1.7, 2", "2+; who opens the file is inferred")
def test_log_that_the_user_cannot_open_is_78(launchctl: Launchctl) -> None:
    folder = launchctl.folder / "closed"
    folder.mkdir(mode=0o755)
    keys = {"UserName": "nobody", "StandardOutPath": str(folder / "log"), "KeepAlive": True}
    target = launchctl.load("log", *SLEEP, **keys)
    launchctl.wait(target, "last exit code", "78: EX_CONFIG")
    assert launchctl.value(target, "pid") is None


@pytest.mark.source("2", "2+")
def test_missing_working_directory_is_78(launchctl: Launchctl) -> None:
    keys = {"WorkingDirectory": str(launchctl.folder / "none"), "KeepAlive": True}
    target = launchctl.load("folder", *SLEEP, **keys)
    launchctl.wait(target, "last exit code", "78: EX_CONFIG")


# -- what a process gets -------------------------------------------------------------------------


@pytest.mark.source("2, F1", "2+")
def test_environment_of_a_root_job(launchctl: Launchctl) -> None:
    out = launchctl.folder / "environment"
    keys = {"StandardOutPath": str(out), "EnvironmentVariables": {"GREETING": "hello"}}
    launchctl.load("env", "/bin/sh", "-c", "/usr/bin/env; echo end", RunAtLoad=True, **keys)
    lines = wait_for(out, "end").splitlines()
    assert "PATH=/usr/bin:/bin:/usr/sbin:/sbin" in lines
    assert f"XPC_SERVICE_NAME={launchctl.label('env')}" in lines
    assert "GREETING=hello" in lines
    assert not [line for line in lines if line.startswith("HOME=")]


@pytest.mark.source("2", "2+; account variables from launchd-842")
def test_identity_of_a_user_job(launchctl: Launchctl) -> None:
    out = launchctl.folder / "identity"
    out.touch()
    os.chown(out, NOBODY, -1)
    keys = {"UserName": "nobody", "StandardOutPath": str(out), "RunAtLoad": True}
    target = launchctl.load("identity", "/bin/sh", "-c", "id -un; echo $USER; echo end", **keys)
    assert wait_for(out, "end").splitlines()[:2] == ["nobody", "nobody"]
    assert launchctl.value(target, "username") == "nobody"


@pytest.mark.source("2", "2+")
def test_folder_umask_and_limits(launchctl: Launchctl) -> None:
    out = launchctl.folder / "settings"
    keys = {
        "StandardOutPath": str(out),
        "WorkingDirectory": "/usr",
        "Umask": 63,
        "SoftResourceLimits": {"NumberOfFiles": 123},
    }
    script = "pwd; umask; ulimit -n; echo end"
    target = launchctl.load("settings", "/bin/sh", "-c", script, RunAtLoad=True, **keys)
    folder, mask, files, _ = wait_for(out, "end").splitlines()
    assert (folder, int(mask, 8), files) == ("/usr", 0o77, "123")
    assert out.stat().st_mode & 0o777 == 0o600
    assert launchctl.value(target, "umask") == "77"


@pytest.mark.source("2, 5", "2+")
def test_log_is_appended_to_and_held_over_a_rotation(launchctl: Launchctl) -> None:
    log, rotated = launchctl.folder / "log", launchctl.folder / "log.0"
    log.write_text("before\n", encoding="utf-8")
    script = "trap 'echo term; exit 0' TERM; echo start; while :; do sleep 0.05; done"
    keys = {"StandardOutPath": str(log), "RunAtLoad": True}
    target = launchctl.load("rotate", "/bin/sh", "-c", script, **keys)
    assert wait_for(log, "start") == "before\nstart\n"
    log.rename(rotated)
    assert launchctl("kickstart", "-k", target).returncode == 0
    assert wait_for(log, "start") == "start\n"
    assert rotated.read_text(encoding="utf-8") == "before\nstart\nterm\n"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two builders of one path, with real processes and real locks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import build_lock
from ansible_collections.closet.inference.plugins.module_utils.python_environment import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from tests.unit.plugins.advice.pasted import commands, paste

UTILS = "ansible_collections.closet.inference.plugins.module_utils"
#: builds for ever: says that it holds the lock, then runs a command that sleeps
BUILDER = f"""
import sys
from {UTILS} import build_lock
from {UTILS}.runner import Runner
runner = Runner()
with build_lock.held(sys.argv[1], "build it", runner):
    print("held", flush=True)
    runner.run(["/bin/sh", "-c", "echo $$ >$0.child; exec sleep 60", sys.argv[1]], 60)
"""


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that builds tmp_path/it; its command has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BUILDER), f"{tmp_path}/it"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    until(lambda: Path(f"{tmp_path}/it.child").exists() and child(tmp_path) > 0)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    with_no_process(lambda: os.kill(child(tmp_path), signal.SIGKILL))


def child(folder: Path) -> int:
    return int(Path(f"{folder}/it.child").read_text() or 0)


def with_no_process(what: Any) -> None:
    with contextlib.suppress(ProcessLookupError):
        what()


def until(what: Any, limit_s: float = 10) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_free(folder: Path) -> bool:
    try:
        with build_lock.held(f"{folder}/it", "look", Runner(), wait_s=0):
            return True
    except build_lock.LockedError:
        return False


def test_a_second_builder_is_told_who_holds_it(
    builder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with (
        pytest.raises(build_lock.LockedError) as raised,
        build_lock.held(f"{tmp_path}/it", "build it", Runner(), wait_s=0.2),
    ):
        pytest.fail("two builders at the same time")
    assert f"process {builder.pid}, which is to build it since " in str(raised.value)
    [command] = commands(str(raised.value))
    assert f" {builder.pid} " in paste(command)


def test_the_lock_of_a_killed_builder_passes_on_when_its_command_has_ended(
    builder: subprocess.Popen[str], tmp_path: Path
) -> None:
    builder.kill()
    builder.wait()
    assert not is_free(tmp_path), "its command still writes there"
    with (
        pytest.raises(build_lock.LockedError, match="that process itself has ended"),
        build_lock.held(f"{tmp_path}/it", "build it", Runner(), wait_s=0),
    ):
        pytest.fail("two builders at the same time")
    os.kill(child(tmp_path), signal.SIGKILL)
    until(lambda: is_free(tmp_path))


def test_nothing_is_left_of_a_lock(tmp_path: Path) -> None:
    with build_lock.held(f"{tmp_path}/a/it", "build it", Runner()) as lock:
        assert lock.warnings == []
        assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["it.lock"]
    with (
        pytest.raises(ValueError, match="failed"),
        build_lock.held(f"{tmp_path}/a/it", "build it", Runner()),
    ):
        raise ValueError("failed")
    assert list((tmp_path / "a").iterdir()) == []


def test_a_lock_file_that_its_holder_removed_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    """Who waited for the file of the first one must not share the path with a third one."""
    inside, most, guard = 0, 0, threading.Lock()

    def build() -> None:
        nonlocal inside, most
        for _ in range(20):
            with build_lock.held(f"{tmp_path}/it", "build it", Quick()):
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


class Quick(Runner):
    """Waits less, and pretends to build."""

    def sleep(self, seconds: float) -> None:
        time.sleep(0.001)

    def run(self, argv: Any, *words: Any, **named: Any) -> Completed:
        if "venv" in argv:
            (Path(argv[-1]) / "bin").mkdir(parents=True)
            time.sleep(0.3)  # long enough for the other one to come
        return Completed(tuple(argv), 0, "", "")


def test_two_builds_of_one_environment_end_with_one_that_is_complete(tmp_path: Path) -> None:
    """The second one used to remove the folder under the first one: Directory not empty."""
    params = {
        "path": f"{tmp_path}/omlx/1f2e",
        "requirements": "omlx==0.5.0\n",
        "python": "3.11",
        "uv_path": f"{tmp_path}/uv/1",
        "uv_version": "1",
    }
    told: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: told.append(execute(params, Quick()))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["changed"] for one in told) == [False, True]
    waited = next(one for one in told if not one["changed"])
    assert "s for process" in waited["warnings"][0]
    assert Path(params["path"], ".complete").exists()
    assert not list(tmp_path.glob("*/*.lock"))


def test_an_environment_that_is_being_built_is_not_pruned(tmp_path: Path) -> None:
    for name in ("it", "kept"):
        (tmp_path / "releases" / name).mkdir(parents=True)
        (tmp_path / "releases" / name / ".closet.inference").touch()
    prune = {"path": f"{tmp_path}/releases/kept", "state": "pruned", "keep": 0}
    with build_lock.held(f"{tmp_path}/releases/it", "build it", Runner()):
        told = execute(prune, Runner())
    assert told["changed"] is False
    assert "is being built by process" in told["warnings"][0]
    assert (tmp_path / "releases/it").exists()
    assert execute(prune, Runner())["steps"] == ["remove it"]


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "it.lock").symlink_to(tmp_path / "target")
    with (
        pytest.raises(OSError, match="symbolic links"),
        build_lock.held(f"{tmp_path}/it", "build it", Runner()),
    ):
        pytest.fail("it followed a link")
    assert (tmp_path / "target").read_text() == "precious"

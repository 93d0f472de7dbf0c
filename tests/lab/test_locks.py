"""Two runs at the same time, and runs that are killed: one holder of a closet and of a build."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import IO

import pytest

from tests.lab.advice import command, paste
from tests.lab.conftest import (
    ENDS_WITHIN_S,
    ENVIRONMENT,
    ROOT,
    Done,
    as_root,
    cut_the_power_at,
    lab,
    on,
    provisioned,
    run,
    site,
)

#: a closet that has converged has no tasks, and its run takes no lock
ALL_TASKS = "--flush-cache"
WAITS = "attic: another run holds this closet: "
#: what a run may wait for a lock whose holder is gone: far less than the 90 s of a lost controller
SOON = ("-e", "closet_wait_s=15")


class Playing:
    """A playbook that runs; its output is read as it comes."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            ["ansible-playbook", *words],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream: IO[str]) -> None:
        self.lines.extend(iter(stream.readline, ""))
        stream.close()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def until(self, words: str, limit_s: float = 300) -> None:
        """Wait for these words in its output."""
        wait_until(lambda: words in self.output or self.process.poll() is not None, limit_s)
        assert words in self.output, self.output

    def kill(self) -> None:
        """kill -9, as an owner does whose terminal hangs; what it started is not asked."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> Done:
        """Its code and what it printed."""
        code = self.process.wait(timeout=ENDS_WITHIN_S)
        self.reader.join(timeout=10)
        assert not self.reader.is_alive(), "something of it still has its output open"
        return Done(code, self.output)


def wait_until(what: object, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    assert callable(what)
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def held() -> dict[str, object]:
    """What the closet's lock file says."""
    found: dict[str, object] = json.loads(on("attic", "cat /opt/closet/lock/run.json").output)
    return found


def served_profile() -> str:
    record = json.loads(on("attic", "cat /opt/closet/state/serving.json").output)
    return str(record["serving"]["profile"])


def assert_settled() -> None:
    """The next run has nothing to do anywhere, and no lock is left."""
    done = provisioned(site())
    assert set(done.changed().values()) == {0}, done.output
    assert on("attic", "ls -d /opt/closet/*/*.lock").code != 0
    wait_until(lambda: not held()["held"], 10)


@pytest.fixture(scope="module", autouse=True)
def clean_choice(fresh_lab: None) -> Iterator[None]:
    """The choice of a profile is kept beside the inventory, which outlives this lab."""
    yield
    (ROOT / "inventories/lab/.closet/attic.json").unlink(missing_ok=True)


def test_a_run_that_is_killed_during_the_first_build_is_followed_by_the_next() -> None:
    """It used to remove the folder under the build that went on: Directory not empty."""
    first = Playing("site.yml", "--limit", "attic,localhost")
    # a task is printed when it has a result, so the host is asked whether it has begun
    wait_until(lambda: on("attic", "ls /opt/closet/omlx/*.lock").code == 0, 300)
    first.kill()
    wait_until(lambda: not held()["held"], 10)
    assert on("attic", "ls /opt/closet/omlx/*.lock").code == 0, "the build goes on"
    done = provisioned(site(*SOON))
    assert "which is to build it since" in " ".join(done.output.split())
    assert on("attic", "ls -d /tmp/*cacert.pem /opt/closet/*/*.scratch").code != 0
    assert_settled()


def test_two_runs_at_once_end_well_and_the_second_says_for_whom_it_waited() -> None:
    both = [Playing("site.yml", ALL_TASKS), Playing("site.yml", ALL_TASKS)]
    done = [provisioned(one.end()) for one in both]
    waited = [one for one in done if WAITS in one.output]
    assert len(waited) == 1, "".join(one.output for one in done)
    line = next(line for line in waited[0].output.splitlines() if WAITS in line)
    assert f"{WAITS}site.yml of root on {os.uname().nodename} (process " in line
    assert all(set(one.changed().values()) == {0} for one in done)
    assert_settled()


def test_a_switch_beside_other_runs_is_not_undone() -> None:
    """A run beside it used to end with "launchd still has it", and rolled the switch back."""
    runs = [
        Playing("site.yml", ALL_TASKS),
        Playing("playbooks/profile.yml", "-e", "profile=lean"),
        Playing("site.yml", ALL_TASKS),
    ]
    for one in runs:
        done = provisioned(one.end())
        assert "was rolled back" not in done.output
    assert served_profile() == "lean"
    listed = on(
        "air",
        'curl -s -H "Authorization: Bearer $(cat ~/.config/closet/key)" '
        "http://attic.local:8000/v1/models",
    )
    assert "qwen3-coder-30b" in listed.output
    assert "qwen3-coder-30b" in on("air", "cat ~/.config/opencode/config.json").output
    assert_settled()


def test_the_lock_of_a_killed_run_is_gone_within_seconds() -> None:
    first = Playing("site.yml", ALL_TASKS)
    first.until("TASK [Generate the keys]")
    assert held()["held"] is True
    first.kill()
    wait_until(lambda: held()["held"] is False, 5)
    provisioned(site(*SOON))


def test_a_power_cut_ends_the_lock() -> None:
    cut_the_power_at("Configure the log rotation", 0.0, "site.yml", ALL_TASKS)
    provisioned(site(*SOON))
    assert_settled()


def test_a_check_says_who_holds_it_and_takes_no_lock() -> None:
    first = Playing("playbooks/profile.yml", "-e", "profile=default")
    first.until("TASK [Generate the keys]")
    before = held()
    check = run("ansible-playbook", "site.yml", "--check", "--limit", "attic,localhost", ALL_TASKS)
    assert WAITS in " ".join(check.output.split())
    assert held()["token"] == before["token"]
    provisioned(first.end())


def test_a_run_that_does_not_end_is_named_with_what_to_do() -> None:
    first = Playing("playbooks/profile.yml", "-e", "profile=lean")
    first.until("TASK [Generate the keys]")
    done = site("-e", "closet_wait_s=1")
    words = " ".join(done.output.split())
    assert done.code != 0
    assert "profile.yml of root on" in words
    assert f"or end it on {os.uname().nodename} (`kill {first.process.pid}`)" in words
    assert lab("status").code == 0
    provisioned(first.end())


def test_a_lock_that_others_may_write_is_not_taken_and_its_rights_are_shown() -> None:
    as_root("attic", "chmod 777 /opt/closet/lock")
    done = site("--limit", "attic,localhost", ALL_TASKS)
    looked = paste(command(done.output, "/opt/closet/lock"))
    as_root("attic", "chmod 755 /opt/closet/lock")
    assert done.code != 0
    assert "attic: this run could not hold the closet" in " ".join(done.output.split())
    assert done.changed()["attic"] == 0
    assert looked.code == 0
    assert re.search(r"(?m)^drwxrwxrwx .* root .* \.$", looked.output), looked.output
    # it is running already
    started = run("ansible-playbook", "playbooks/start.yml", "--limit", "attic,localhost")
    assert provisioned(started).changed()["attic"] == 0

"""closet-log: who gets which lines, and what is left of them; the program itself is run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/_daemon/files/closet_log.py"


def start(folder: Path, script: str, *options: str, limit: int = 4000) -> subprocess.Popen[str]:
    words = [sys.executable, str(PROGRAM), "--file", str(folder / "a.log"), *options]
    words += ["--bytes", str(limit), "--count", "2", "--ends", str(folder / "ends.log")]
    words += ["--", "/bin/sh", "-c", script]
    return subprocess.Popen(words, start_new_session=True, text=True, stderr=subprocess.PIPE)


def until(folder: Path, words: str) -> str:
    """The log of ends, once it has the words: the writer outlives the program by a moment."""
    for _ in range(200):
        if (folder / "ends.log").exists() and words in (folder / "ends.log").read_text():
            return (folder / "ends.log").read_text()
        time.sleep(0.05)
    raise AssertionError("the end was not written")


def numbers(folder: Path) -> list[int]:
    parts = [folder / f"a.log{end}" for end in (".2", ".1", "")]
    text = "".join(part.read_text() for part in parts if part.exists())
    return [int(number) for number in re.findall(r"(\d+)\n", text)]


def test_files_are_bounded_and_only_the_oldest_lines_are_gone(tmp_path: Path) -> None:
    assert start(tmp_path, "seq 1 5000").wait(30) == 0
    until(tmp_path, "\n5000\n")
    kept = numbers(tmp_path)
    assert kept == list(range(kept[0], 5001))
    assert kept[0] > 1
    sizes = [path.stat().st_size for path in tmp_path.glob("a.log*")]
    assert max(sizes) <= 4000
    assert sorted(path.name for path in tmp_path.glob("a.log*")) == [
        *("a.log", "a.log.1", "a.log.2", "a.log.lock")
    ]


def test_the_program_keeps_its_exit_code_and_its_signals(tmp_path: Path) -> None:
    assert start(tmp_path, "exit 7").wait(30) == 7
    with start(
        tmp_path, "trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    ) as it:
        for _ in range(200):
            if (tmp_path / "a.log").exists() and "up" in (tmp_path / "a.log").read_text():
                break
            time.sleep(0.05)
        os.kill(it.pid, signal.SIGTERM)
        assert it.wait(30) == 3
    until(tmp_path, "asked")


def test_the_last_words_are_kept_when_the_whole_group_is_told_to_end(tmp_path: Path) -> None:
    """launchd sends SIGTERM to the group of a job whose process has died."""
    with start(tmp_path, "seq 1 300; echo why it died >&2; kill -KILL $$") as it:
        assert it.wait(30) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.killpg(it.pid, signal.SIGTERM)
    ends = until(tmp_path, "why it died")
    assert ends.startswith("closet-log: ")
    assert len(ends.splitlines()) == 20


SLOW = """\
import os, runpy, sys, time
leave = os.setsid
os.setsid = lambda: (time.sleep(0.5), leave())
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_program_that_dies_at_once_waits_for_its_writer(tmp_path: Path) -> None:
    """On a busy machine the group is told to end before the writer has left it."""
    words = [sys.executable, "-c", SLOW, str(PROGRAM), "--file", str(tmp_path / "a.log")]
    words += ["--bytes", "1000", "--count", "1", "--ends", str(tmp_path / "ends.log")]
    words += ["--", "/bin/sh", "-c", "echo why it died; kill -TERM 0"]
    done = subprocess.run(words, start_new_session=True, check=False, timeout=30)
    assert done.returncode == -signal.SIGTERM
    assert "why it died" in until(tmp_path, "why it died")


def test_a_twin_that_has_outgrown_the_limit_is_emptied(tmp_path: Path) -> None:
    twin = tmp_path / "server.log"
    twin.write_text("x" * 4001)
    start(tmp_path, "seq 1 2000", "--twin", str(twin)).wait(30)
    until(tmp_path, "2000")
    assert twin.stat().st_size == 0


@pytest.mark.parametrize("script", ["printf 'no end of line'", "printf '\\377 is no letter\\n'"])
def test_odd_output_is_kept(tmp_path: Path, script: str) -> None:
    assert start(tmp_path, script).wait(30) == 0
    until(tmp_path, "no ")
    assert "no " in (tmp_path / "a.log").read_text()


def test_a_log_that_cannot_be_written_does_not_stop_the_program(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    script = "seq 1 5000; echo done at last; exit 7"
    assert start(tmp_path, script).wait(30) == 7
    until(tmp_path, "done at last")


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "--file", str(tmp_path / "a.log"), "--bytes", "1000"]
    words += ["--count", "1", "--ends", str(tmp_path / "ends.log"), "--", "/no/such"]
    assert subprocess.run(words, check=False, timeout=30).returncode != 0
    assert "/no/such: No such file" in until(tmp_path, "/no/such")

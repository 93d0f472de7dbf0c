"""Two closets pull at the same time: a log and a terminal say how far each of them is."""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.lab.conftest import ENVIRONMENT, ROOT, install_programs, lab, on, run
from tests.lab.pulling import HOME, MIB, fault, hub

TWO = str(Path(__file__).parent / "inventories" / "two")
INSTALLED = str(Path(__file__).parent / "playbooks" / "omlx_installed.yml")
REPO = "acme/slow"
SIZE = 48 * MIB
#: per answer, and a host asks for three ranges at once: 24 s, so several lines of five seconds
RATE = SIZE // 3 // 24
LIMIT_S = 240
HOW_FAR = re.compile(r"(attic|loft): slow: (\d+) %, [\d.]+ [MkG]?B of 50\.3 MB")
CLEAR = "\r\x1b[2K"


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    """The interpreter of omlx's environment, the same on both closets."""
    lab("down")
    lab("up", "--inventory", TWO, limit_s=600)
    for host in ("attic", "loft"):
        install_programs(host, "attic")
    done = run("ansible-playbook", "-i", TWO, INSTALLED, limit_s=600)
    assert done.code == 0, done.output[-6000:]
    hub("commits", {"repo": REPO, "files": {"weights.bin": {"size": SIZE, "seed": 1}}})
    yield on("attic", "echo /opt/closet/omlx/*/bin/python").output.split()[0]
    lab("down")


def pull_everywhere(python: str, store: str) -> list[str]:
    """The command that pulls the model on both closets."""
    task = {
        "models": [{"repo": REPO}],
        "store": f"{HOME}/{store}",
        "serve_dir": f"{HOME}/{store}-served",
        "endpoint": "http://hub.local:8080",
        "reserve_gb": 0,
    }
    words = ["ansible", "-i", TWO, "closet", "-m", "closet.inference.omlx_model"]
    return [*words, "-a", json.dumps(task), "-e", f"ansible_python_interpreter={python}"]


def in_terminal(argv: list[str], columns: int) -> tuple[int, str]:
    """Run a command on a terminal of its own; its code and all that was written there."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        argv, cwd=ROOT, env=ENVIRONMENT, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = bytearray()
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:  # EIO: nobody has the other end any more
        pass
    finally:
        os.close(master)
    return process.wait(LIMIT_S), shown.decode()


def test_a_log_has_lines_of_both_hosts_in_turn(python: str) -> None:
    with fault(repo=REPO, rate_bytes_per_s=RATE):
        done = run(*pull_everywhere(python, "in-a-log"), limit_s=LIMIT_S)
    assert done.code == 0, done.output[-4000:]
    assert "\r" not in done.output
    found = [HOW_FAR.match(line) for line in done.output.splitlines()]
    lines = [(match[1], int(match[2])) for match in found if match]
    turns = [host for host, _lines in groupby(host for host, _percent in lines)]
    assert len(turns) >= 4, lines
    for host in ("attic", "loft"):
        percents = [percent for each, percent in lines if each == host]
        assert percents == sorted(percents)
        assert percents[0] < percents[-1], lines


def test_a_terminal_has_one_live_line_for_both(python: str) -> None:
    with fault(repo=REPO, rate_bytes_per_s=RATE):
        code, shown = in_terminal(pull_everywhere(python, "on-a-terminal"), columns=200)
    assert code == 0, shown[-4000:]
    frames = [frame.partition("\r")[0] for frame in shown.split(CLEAR)[1:]]
    both = [frame for frame in frames if len(HOW_FAR.findall(frame)) == 2]
    assert len(both) >= 4, frames
    for frame in both:
        assert [host for host, _percent in HOW_FAR.findall(frame)] == ["attic", "loft"]
        assert " | " in frame
        assert "\n" not in frame, "a live line that went on to the next could not be cleared"
    assert both[0] != both[-1]

"""Commands that messages suggest: found in what was printed, and run as a person pastes them."""

from __future__ import annotations

import os
import pty
import re
import select
import time
from collections.abc import Mapping
from pathlib import Path

from tests.lab.conftest import ENVIRONMENT, ROOT, Done


def commands(text: str) -> list[str]:
    """What stands in backticks, in the order in which it was printed; lines may be folded."""
    found = re.findall(r"`([^`]+)`", " ".join(text.split()))
    return list(dict.fromkeys(found))


def command(text: str, *words: str) -> str:
    """The first command in backticks that has all these words."""
    for one in commands(text):
        if all(word in one for word in words):
            return one
    raise AssertionError(f"no command with {words} in:\n{text}")


def paste(
    line: str, answers: Mapping[str, str] = {}, here: Path = ROOT, limit_s: int = 900
) -> Done:
    """Run a command at a terminal, and type an answer when its question appears."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(here)
        os.execvpe("/bin/bash", ["/bin/bash", "-c", line], ENVIRONMENT)
    said, left, ends = "", dict(answers), time.monotonic() + limit_s
    with os.fdopen(terminal, "r+b", buffering=0) as stream:
        while time.monotonic() < ends:
            if not select.select([stream], [], [], 1.0)[0]:
                continue
            try:
                piece = stream.read(4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece.decode(errors="replace")
            for question in [one for one in left if one in said]:
                time.sleep(0.5)  # what came earlier than the question is thrown away
                stream.write(f"{left.pop(question)}\r".encode())
    return Done(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.replace("\r\n", "\n"))

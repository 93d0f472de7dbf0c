# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where modules start commands, wait and look at the clock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import Account
from ansible_collections.closet.inference.plugins.module_utils.trusted import border_of_program

RC_TIMED_OUT = 124  # as timeout(1) says it
RC_NOT_EXECUTABLE = 126  # as a shell says it
RC_NOT_FOUND = 127


@dataclass(frozen=True)
class Completed:
    """What a command said and how it ended; `rc` is negative when a signal ended it."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str
    timed_out: bool = False


class Runner:
    """Runs commands without a shell, always in the C locale, always with a time limit.

    Tests replace it by a double with the same three methods.
    """

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word subprocess uses
        env: Mapping[str, str] | None = None,
        user: Account | None = None,
    ) -> Completed:
        """Run `argv` and return how it ended; `env` is added to our own environment.

        `user` runs it with that account's rights and home instead of root's. What root runs only
        root may be able to change; anything else is not executed, rc 126.

        Never raises for what the command does: a missing program is rc 127, one that may not be
        executed rc 126, one that takes longer than `timeout_s` is killed and is rc 124.
        """
        words = tuple(str(word) for word in argv)
        unsafe = None if user else _unsafe_for_root(words[0], {**os.environ, **(env or {})})
        if unsafe:
            return Completed(words, RC_NOT_EXECUTABLE, "", unsafe)
        options = {} if user is None else _as(user)
        own = {} if user is None else {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, **own, **(env or {}), "LC_ALL": "C"},
                start_new_session=True,  # so that the children of a killed command die with it
                **options,
            )
        except FileNotFoundError as error:
            return Completed(words, RC_NOT_FOUND, "", f"{words[0]}: {error.strerror}")
        except OSError as error:
            return Completed(words, RC_NOT_EXECUTABLE, "", f"{words[0]}: {error.strerror}")
        try:
            stdout, stderr = process.communicate(input, timeout=timeout_s)
            return Completed(words, process.returncode, stdout, stderr)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            stdout, stderr = process.communicate()
            return Completed(words, RC_TIMED_OUT, stdout, stderr, timed_out=True)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


def _as(user: Account) -> dict[str, Any]:
    return {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups), "cwd": "/"}


def _unsafe_for_root(program: str, env: Mapping[str, str]) -> str | None:
    """Why root does not run a program: another account can change it or a folder above it."""
    if os.geteuid() != 0:
        return None
    found = program if "/" in program else shutil.which(program, path=env.get("PATH"))
    try:
        border = found and border_of_program(os.path.abspath(found))  # noqa: PTH100
    except OSError:
        return None  # not there, and the system says so itself
    if not border:
        return None
    return f"root does not run {found}: {border.who} can change {border.path}; {border.remedy}"


def _kill_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()

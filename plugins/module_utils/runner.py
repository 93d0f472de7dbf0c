# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where modules start commands, wait and read the clock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.trusted import unsafe_for_root

RC_TIMED_OUT = 124  # as timeout(1) says it
RC_NOT_EXECUTABLE = 126  # as a shell says it
RC_NOT_FOUND = 127
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"  # what macOS gives a command over ssh


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

    Tests replace it by a double with the same methods.
    """

    keep_open: tuple[int, ...] = ()
    """Open files that commands inherit: locks that have to outlive us while a command works."""

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word subprocess uses
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run `argv` and return how it ended; `env` is added to our own environment.

        What root runs only root may be able to change; anything else is not executed, rc 126.
        Never raises for what the command does: a missing program is rc 127, one that may not be
        executed rc 126, one that takes longer than `timeout_s` is killed and is rc 124.
        """
        words = tuple(str(word) for word in argv)
        surroundings = self.surroundings(env or {})
        if os.geteuid() == 0 and not surroundings.get("user"):
            unsafe = _unsafe_for_root(words[0], surroundings["env"].get("PATH"))
            if unsafe:
                return Completed(words, RC_NOT_EXECUTABLE, "", unsafe)
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                pass_fds=self.keep_open,
                start_new_session=True,  # so that the children of a killed command die with it
                **surroundings,
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

    def surroundings(self, env: Mapping[str, str]) -> dict[str, Any]:
        """Environment, and whatever else of subprocess.Popen a command is started with."""
        return {"env": {**os.environ, **env, "LC_ALL": "C"}}

    def acting_as(self, account: Account, home: str = "") -> Runner:
        """One whose commands have that account's rights; `home` is another folder of its own."""
        return AccountRunner(account, home)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()


class AccountRunner(Runner):
    """Runs commands with an account's rights, in its home or another folder of its own.

    The process has given up root before the program starts, and nothing of root's environment
    comes along.
    """

    def __init__(self, account: Account, home: str = "") -> None:
        self.account = account
        self.home = home

    def surroundings(self, env: Mapping[str, str]) -> dict[str, Any]:
        """The account's own."""
        home = self.home or self.account.home
        told = {"PATH": PATH, "HOME": home, "LC_ALL": "C", **env}
        told.update(USER=self.account.name, LOGNAME=self.account.name)
        if self.home:
            told["TMPDIR"] = home
        how: dict[str, Any] = {"env": told, "cwd": self.home or "/"}
        if os.geteuid() == 0 and self.account.uid != 0:
            groups = list(self.account.groups)
            how.update(user=self.account.uid, group=self.account.gid, extra_groups=groups)
        return how


def _unsafe_for_root(program: str, path: str | None) -> str | None:
    """Why root does not run a program: another account can change it or a folder above it."""
    found = program if "/" in program else shutil.which(program, path=path)
    reason = found and unsafe_for_root(found)
    return f"root does not run {found}: {reason}" if reason else None


def _kill_group(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()

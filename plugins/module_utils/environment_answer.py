# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of a virtual environment say of themselves, asked once and kept beside them.

An environment never changes, so neither does the answer. It is asked before the environment is
complete, as the account that will run it, and kept as `answer.json`, which only root can change.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.accounts import (
    NoAccountError,
    account_named,
)
from ansible_collections.closet.inference.plugins.module_utils.files import read_file, write_atomic
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

ANSWER = "answer.json"
LARGEST_CHARACTERS = 1 << 20
ASK_TIMEOUT_S = 300


class NoAnswerError(RuntimeError):
    """It could not be asked, or said something else than a JSON object."""


def ask(path: str, program: str, user: str, runner: Runner) -> dict[str, Any]:
    """Run `program` by the environment's Python as `user`; keep and return the object it prints.

    Only its last line counts: what it imports may print too. Raises NoAnswerError.
    """
    home = Path(f"{path}.home")
    try:
        who = account_named(user)
        shutil.rmtree(home, ignore_errors=True)  # of a build that was cut off
        home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(home, who.uid, who.gid)
        # isolated: nothing of that account's own is imported
        argv = [f"{path}/bin/python", "-I", "-"]
        done = runner.acting_as(who, str(home)).run(argv, ASK_TIMEOUT_S, input=program)
    except NoAccountError as error:
        raise NoAnswerError(str(error)) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    answer = _parse(done)
    write_atomic(Path(path, ANSWER), json.dumps(answer, sort_keys=True).encode())
    return answer


def read(path: str) -> dict[str, Any]:
    """The kept answer of the environment at `path`; empty when it never gave one."""
    try:
        found = json.loads(read_file(Path(path, ANSWER))[0])
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def warnings(answer: Mapping[str, Any]) -> list[str]:
    """What whoever builds it should know, as the program put it."""
    found = answer.get("warnings")
    return [str(one) for one in found] if isinstance(found, list) else []


def _parse(done: Completed) -> dict[str, Any]:
    if done.timed_out:
        raise NoAnswerError(f"it did not answer in {ASK_TIMEOUT_S} s")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.rc != 0:
        said = (done.stderr.strip().splitlines() or [last])[-1]
        raise NoAnswerError(f"it ended with {done.rc}: {said}")
    try:
        found = json.loads(last) if len(last) <= LARGEST_CHARACTERS else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NoAnswerError("it said no JSON object")
    return found

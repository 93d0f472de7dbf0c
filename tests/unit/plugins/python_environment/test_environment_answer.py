# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment says of itself: asked once, as the account that runs it, kept by root."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import environment_answer
from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.environment_answer import (
    NoAnswerError,
    ask,
)
from ansible_collections.closet.inference.plugins.module_utils.python_environment import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

OTHER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
WHOSE = """\
import json, os, sys
print("omlx says hello")
print(json.dumps({"uid": os.geteuid(), "groups": os.getgroups(), "home": os.environ["HOME"],
                  "may write": os.access(os.environ["HOME"], os.W_OK), "path": sys.path[0],
                  "told": sorted(os.environ)}))
"""


@pytest.fixture
def environment() -> Iterator[str]:
    """Where another account comes by: a folder of pytest's is closed to it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(folder, "omlx")
        (home / "bin").mkdir(parents=True)
        (home / "bin/python").symlink_to(os.path.realpath(sys.executable))
        yield str(home)


def test_it_is_asked_as_the_account_and_the_answer_is_not_its_own(environment: str) -> None:
    answer = ask(environment, WHOSE, OTHER, Runner())
    whose = pwd.getpwnam(OTHER)
    assert answer["uid"] == whose.pw_uid
    if os.geteuid() == 0:
        assert 0 not in answer["groups"]
    assert answer["may write"] is True
    assert answer["home"] == f"{environment}.home"
    assert "PYTHONPATH" not in answer["told"]
    assert answer["path"] != "", "isolated: nothing is imported from where it stands"
    kept = Path(environment, "answer.json")
    assert json.loads(kept.read_text()) == environment_answer.read(environment) == answer
    assert (kept.stat().st_uid, stat.S_IMODE(kept.stat().st_mode)) == (os.geteuid(), 0o644)
    assert not Path(f"{environment}.home").exists()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("raise SystemExit('no such thing')", "it ended with 1: no such thing"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("print('hello')", "no JSON object"),
        ("print('[1]')", "no JSON object"),
        ("pass", "no JSON object"),
        ("print('{' + '\"a\": 1, ' * 200000 + '\"b\": 2}')", "no JSON object"),
    ],
)
def test_what_is_no_answer(environment: str, program: str, words: str) -> None:
    with pytest.raises(NoAnswerError) as raised:
        ask(environment, program, OTHER, Runner())
    assert words in str(raised.value)
    assert not Path(environment, "answer.json").exists()
    assert environment_answer.read(environment) == {}


def test_an_account_that_is_not_there(environment: str) -> None:
    with pytest.raises(NoAnswerError, match="no account nobody-of-that-name"):
        ask(environment, WHOSE, "nobody-of-that-name", Runner())


def test_a_home_that_a_cut_off_build_left_is_no_obstacle(environment: str) -> None:
    Path(f"{environment}.home").mkdir()
    Path(f"{environment}.home", "left").touch()
    assert ask(environment, WHOSE, OTHER, Runner())["uid"] == pwd.getpwnam(OTHER).pw_uid


class Builder(Runner):
    """Pretends to build, and to answer; notes as whom it was asked."""

    def __init__(self, says: str, rc: int = 0) -> None:
        self.says, self.rc = says, rc
        self.asked: list[tuple[str, Sequence[str], str | None]] = []
        self.account = ""

    def acting_as(self, account: Account, home: str = "") -> Runner:
        self.account = account.name
        return self

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word of Runner
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        if "venv" in argv:
            (Path(argv[-1]) / "bin").mkdir(parents=True)
        if "-I" in argv:
            self.asked.append((self.account, argv, input))
            return Completed(tuple(argv), self.rc, self.says, "it broke")
        return Completed(tuple(argv), 0, "", "")


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    return {
        "path": f"{tmp_path}/omlx/1f2e",
        "requirements": "omlx==0.5.0\n",
        "python": "3.11",
        "uv_path": f"{tmp_path}/uv/0.13.9",
        "uv_version": "0.13.9",
        "check": ["omlx", "--help"],
        "ask": "print({})",
        "ask_user": OTHER,
    }


ANSWER = {"program": "omlx 0.7.0", "warnings": ["omlx 0.7.0 has no native kernels for bonsai"]}


def test_a_build_asks_and_tells_what_it_was_told_once(params: dict[str, Any]) -> None:
    foretold = execute(params, Builder(""), check_mode=True)
    assert foretold["steps"][-3:] == ["check", "ask", "complete"]
    assert foretold["answer"] == {}
    builder = Builder(json.dumps(ANSWER))
    told = execute(params, builder)
    assert told["steps"] == foretold["steps"]
    assert told["answer"] == ANSWER
    assert told["warnings"] == ANSWER["warnings"]
    assert builder.asked == [(OTHER, [f"{params['path']}/bin/python", "-I", "-"], "print({})")]
    again = execute(params, builder)
    assert (again["changed"], again["answer"]) == (False, ANSWER)
    assert "warnings" not in again
    assert len(builder.asked) == 1


def test_one_that_does_not_answer_is_built_all_the_same_and_that_is_said(
    params: dict[str, Any],
) -> None:
    told = execute(params, Builder("", rc=3))
    assert told["answer"] == {}
    (said,) = told["warnings"]
    assert "was built, and could not be asked what it is: it ended with 3: it broke" in said
    assert Path(params["path"], ".complete").exists()
    assert execute(params, Builder(""))["changed"] is False


def test_the_question_is_not_what_the_environment_is_made_of(params: dict[str, Any]) -> None:
    one = execute(params, Builder("{}"))
    other = execute({**params, "ask": None, "ask_user": None}, Builder(""))
    assert (other["changed"], other["digest"]) == (False, one["digest"])
    assert other["answer"] == {}
    shutil.rmtree(params["path"])

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that reads the files is asked once for each content, and a no is not forgotten.

The words are those of opencode 1.18.33, recorded on Linux with `opencode models`.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.managed_files import (
    apply as apply_module,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.apply import (
    FilesNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.confirm import (
    NotConfirmedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from tests.unit import documents

ROLE = documents.read(Path(__file__).parents[4] / "roles/opencode/vars/main.yml")
BAD_TYPE = (
    "\x1b[91m\x1b[1mError: \x1b[0mConfiguration is invalid at /etc/opencode/opencode.json\n"
    '↳ Expected number | false | undefined, got "600600" provider.closet.options.headerTimeout\n'
)
SECRETS = (
    "\x1b[91m\x1b[1mError: \x1b[0mConfiguration is invalid at /home/kid/x.json\n"
    '↳ Expected "manual" | "auto", got "sk-mine is a secret" username\n'
    "↳ Expected string | undefined, got 5123 provider.z.options.apiKey\n"
    '↳ Expected string, got ["sk-1 2"] mcp.t.headers.A\n'
    "↳ Missing key mcp.t.enabled\n"
    '↳ Expected PermissionActionConfig, got "alow" permission.bash.git push*\n'
)
NO_JSON = (
    "Error: Config file at /home/kid/opencode.json is not valid JSON(C): \n"
    '--- JSONC Input ---\n{"apiKey": "sk-literal", x\n--- Errors ---\n'
    'InvalidSymbol at line 1, column 26\n   Line 1: {"apiKey": "sk-literal", x\n'
    "                                   ^\n--- End ---\n"
)
MODELS = "closet/a\ncloset/b\n"


class Program(Runner):
    """Answers as it is told, and counts."""

    def __init__(self) -> None:
        self.answer = (0, MODELS, "")
        self.asked: list[tuple[tuple[str, ...], Any]] = []

    def acting_as(self, account: Account, home: str = "") -> Runner:
        assert account.name == getpass.getuser()
        return self

    def run(
        self,
        argv: Sequence[str],
        timeout_s: float = 30,
        input: str | None = None,  # noqa: A002 - the word of Runner
        env: Any = None,
    ) -> Completed:
        self.asked.append((tuple(argv), env))
        rc, stdout, stderr = self.answer
        return Completed(tuple(argv), rc, stdout, stderr, timed_out=rc == 124)


class Host:
    """A folder with one file of ours and one secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = Program()
        self.record = folder / "confirmed"

    def play(self, text: str = "one", check: bool = False, **more: Any) -> dict[str, Any]:
        asked = {
            "command": ["/usr/local/bin/opencode", "models"],
            "user": getpass.getuser(),
            "home": "/home/kid",
            "record": str(self.record),
            "lines": ["closet/a"],
            "reads": [f"{self.folder}/own.json"],
            "hide": ROLE["__opencode_hide"],
            "hints": [
                {"says": "/etc/opencode/", "do": "Correct the inventory."},
                {"says": "", "do": "Mend it."},
            ],
            **more,
        }
        files = [
            {"path": f"{self.folder}/lock", "content": text},
            {"path": f"{self.folder}/key", "content": "0", "secret": True},
        ]
        params = {"files": files, "secret_contents": ["key-0123456789"], "confirm": asked}
        return execute(params, self.program, str(self.folder), check)[0]

    def refused(self, **how: Any) -> str:
        with pytest.raises(NotConfirmedError) as raised:
            self.play(**how)
        return str(raised.value)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_is_asked_when_something_was_written_and_not_again(host: Host) -> None:
    assert host.play()["changed"] is True
    assert host.program.asked == [(("/usr/local/bin/opencode", "models"), {"HOME": "/home/kid"})]
    assert host.play()["changed"] is False
    assert len(host.program.asked) == 1
    host.play("two")
    host.play("two")
    assert len(host.program.asked) == 2
    # mended by the run, so written
    (host.folder / "lock").write_text("by hand")
    host.play("two")
    assert len(host.program.asked) == 3


def test_after_a_no_every_run_asks_until_it_is_a_yes(host: Host) -> None:
    host.program.answer = (1, "", BAD_TYPE)
    assert "ended with 1" in host.refused()
    assert (host.folder / "lock").read_text() == "one", "what was written stays"
    assert "ended with 1" in host.refused()
    host.program.answer = (0, MODELS, "")
    assert host.play()["changed"] is False
    host.play()
    assert len(host.program.asked) == 3


def test_a_no_is_remembered_for_contents_that_once_had_a_yes(host: Host) -> None:
    host.play()
    (host.folder / "lock").write_text("by hand")
    host.program.answer = (1, "", BAD_TYPE)
    host.refused()
    host.refused()
    assert len(host.program.asked) == 3


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_cut_between_writing_and_asking_is_made_up_for(
    host: Host, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    host.play()
    write = apply_module.DO["write"]

    def cut(step: Any) -> None:
        if moment == "after":
            write(step)
        raise SystemExit

    monkeypatch.setitem(apply_module.DO, "write", cut)
    monkeypatch.setattr(apply_module, "_take_back", lambda *_words: [])
    with pytest.raises(SystemExit):
        host.play("two")
    monkeypatch.undo()
    assert len(host.program.asked) == 1
    host.play("two")
    assert len(host.program.asked) == 2


def test_check_mode_asks_nothing_and_keeps_the_record(host: Host) -> None:
    host.play(check=True)
    assert not host.record.exists()
    host.play()
    kept = host.record.read_bytes()
    host.play("two", check=True)
    assert host.record.read_bytes() == kept
    assert len(host.program.asked) == 1


def test_what_could_not_be_written_is_not_asked_about(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_step: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(apply_module.DO, "write", full)
    with pytest.raises(FilesNotWrittenError):
        host.play()
    assert host.program.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((1, "", BAD_TYPE), ('got "600600" provider.closet.options.h', "Correct the inventory.")),
        ((1, "", SECRETS), ("username", 'got "alow" permission.bash.git push*', "Mend it.")),
        ((1, "", NO_JSON), ("/home/kid/opencode.json is not valid JSON(C)", "line 1, column 26")),
        ((0, "closet/b\n", ""), ("does not name closet/a", "Mend it.")),
        ((0, "", ""), ("does not name closet/a",)),
        ((124, "", ""), ("did not end in 120 s",)),
        ((127, "", "no such file"), ("could not be started and said:\nno such file",)),
        ((1, "", "it sent key-0123456789"), ("it sent (not shown)",)),
        ((1, "only here", ""), ("and said:\nonly here",)),
    ],
    ids=["type", "secrets", "json", "fewer", "none", "hangs", "missing", "key", "stdout"],
)
def test_a_no_is_told_in_its_words_without_a_secret(
    host: Host, answer: tuple[int, str, str], words: tuple[str, ...]
) -> None:
    host.program.answer = answer
    told = host.refused()
    for word in words:
        assert word in told
    for secret in ("sk-mine", "5123", "sk-1", "sk-literal", "key-0123456789", "\x1b"):
        assert secret not in told
    assert f"asked as {getpass.getuser()} after what was to be written was written" in told
    assert told.endswith("The next run asks it again.")


def test_what_cannot_be_asked_is_refused_before_anything_is_written(host: Host) -> None:
    wrong: dict[str, Any]
    for wrong in ({"hide": ["("]}, {"record": "confirmed"}, {"command": []}):
        with pytest.raises(FilesRefusedError):
            host.play(**wrong)
    assert not (host.folder / "lock").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_the_program_would_wait_for_is_told_and_it_is_not_asked(host: Host, kind: str) -> None:
    own = host.folder / "own.json"
    own.mkdir() if kind == "folder" else os.mkfifo(own)
    told = host.refused()
    assert f"{own} of {getpass.getuser()} is no file" in told
    assert f"mv -n {own} {own}.aside" in told
    assert host.program.asked == []
    own.rmdir() if kind == "folder" else own.unlink()
    own.write_text("{}")
    assert host.play()["changed"] is False
    assert len(host.program.asked) == 1


def test_an_account_that_is_not_there_is_a_no(host: Host) -> None:
    assert "this host has no account nobody-here" in host.refused(user="nobody-here")


def test_a_program_belongs_to_who_can_change_its_folder(host: Host) -> None:
    entry = {"path": f"{host.folder}/closet", "content": "x", "mode": "0755", "program": True}
    execute({"files": [entry]}, host.program, str(host.folder))
    found = (host.folder / "closet").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (host.folder.stat().st_uid, 0o755)
    with pytest.raises(FilesRefusedError, match="leave owner out"):
        execute({"files": [{**entry, "owner": "root"}]}, host.program, str(host.folder))

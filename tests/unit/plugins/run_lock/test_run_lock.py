# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock on a closet: its holder and its keeper as real processes, its judgement as a table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils import run_holder
from ansible_collections.closet.inference.plugins.plugin_utils.run_lock import keeper as run_keeper
from ansible_collections.closet.inference.plugins.plugin_utils.run_lock import messages

HOLDER = Path(run_holder.__file__).read_text(encoding="utf-8")
KEEPER = str(Path(run_keeper.__file__).resolve())
A, B = "a" * 32, "b" * 32


def text(token: str = A, held: object = False, since: int = 1) -> str:
    return json.dumps({"token": token, "controller": "studio", "since": since, "held": held})


@pytest.mark.parametrize(
    ("news", "seen", "stale"),
    [
        ({"state": "holds", "before": ""}, "", False),
        ({"state": "holds", "before": text(B)}, text(B), False),
        ({"state": "holds", "before": text(B) + "\n"}, text(B), False),
        ({"state": "holds", "before": text(B)}, "", True),
        ({"state": "holds", "before": text(B, since=2)}, text(B), True),
        ({"state": "holds", "before": text(B, held=True)}, text(B, held=True), True),
        ({"state": "holds", "before": text(B)}, text(B, held=True), True),
        ({"state": "holds", "before": ""}, text(B), True),
        ({"state": "holds", "before": '{"tok'}, '{"tok', True),
        ({"state": "holds", "before": "[]"}, "[]", True),
        ({"state": "holds", "before": text(A, held=True)}, "", False),
        ({"state": "ours"}, text(B), False),
    ],
    ids=[
        "never held",
        "as the look saw it",
        "but for the end of the line",
        "the first run of all was since",
        "another run was since",
        "another run was cut off, or at work during the look",
        "it ended between look and lock",
        "somebody removed the file",
        "damaged",
        "of another shape",
        "our own, lost and taken again",
        "a later play of this run",
    ],
)
def test_when_to_look_again(news: Mapping[str, Any], seen: str, stale: bool) -> None:
    assert messages.is_stale(news, seen, A) is stale


@pytest.mark.parametrize("holder", [{}, {"controller": "x"}, {"controller": "x", "since": "soon"}])
def test_a_holder_that_says_little_is_still_a_sentence(holder: dict[str, Any]) -> None:
    assert "attic: another run holds this closet: " in messages.waits("attic", holder, 5)


def order(token: str = A, **more: Any) -> dict[str, Any]:
    return {
        "token": token,
        "controller": "studio",
        "user": "ada",
        "playbook": "site.yml",
        "pid": 7,
        **more,
    }


class Holding:
    """A holder as a process of its own, below a folder instead of /."""

    def __init__(self, root: Path, given: dict[str, Any], silence_s: float = 90.0) -> None:
        program = HOLDER.replace("SILENCE_S = 90.0", f"SILENCE_S = {silence_s}")
        program = program.replace('root: str = "/"', f"root: str = {str(root)!r}")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def news(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")
        return found

    def beat(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Holding]]:
    """Start holders; all are ended afterwards."""
    made: list[Holding] = []

    def one(given: dict[str, Any], **how: float) -> Holding:
        made.append(Holding(tmp_path, given, **how))
        return made[-1]

    yield one
    for each in made:
        each.process.kill()
        each.process.wait()
        for stream in (each.process.stdin, each.process.stdout):
            assert stream is not None
            stream.close()


def says(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "opt/closet/lock/run.json").read_text())
    return found


def until(what: Callable[[], bool], limit_s: float = 10) -> None:
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_second_run_waits_for_the_first_and_follows_it(
    start: Callable[..., Holding], tmp_path: Path
) -> None:
    first = start(order())
    assert first.news() == {"state": "holds", "before": ""}
    assert says(tmp_path)["held"] is True
    second = start(order(B))
    news = second.news()
    assert (news["state"], news["holder"]["token"]) == ("waits", A)
    assert news["holder"]["playbook"] == "site.yml"
    first.leave()
    news = second.news()
    assert news["state"] == "holds"
    assert json.loads(news["before"])["held"] is False
    assert first.process.wait(5) == 0
    assert says(tmp_path)["token"] == B


def test_a_later_play_of_the_same_run_finds_that_it_holds_it(
    start: Callable[..., Holding],
) -> None:
    assert start(order()).news()["state"] == "holds"
    again = start(order())
    assert again.news() == {"state": "ours"}
    assert again.process.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_the_lock_ends_with_its_holder(
    start: Callable[..., Holding], tmp_path: Path, number: signal.Signals
) -> None:
    first = start(order())
    first.news()
    first.process.send_signal(number)
    first.process.wait()
    # what kill -9 or a power cut left: the look is not believed, and nobody waits
    assert says(tmp_path)["held"] is (number == signal.SIGKILL)
    assert start(order(B)).news()["state"] == "holds"


def test_a_controller_that_is_silent_is_lost(start: Callable[..., Holding], tmp_path: Path) -> None:
    first = start(order(), silence_s=1.5)
    first.news()
    for _ in range(4):
        time.sleep(0.5)
        first.beat()
    assert first.process.poll() is None, "it was heard"
    assert first.process.wait(5) == 0
    assert says(tmp_path)["held"] is False


def test_who_waits_leaves_with_its_controller(start: Callable[..., Holding]) -> None:
    start(order()).news()
    second = start(order(B))
    second.news()
    second.leave()
    assert second.process.wait(5) == 0


@pytest.mark.parametrize("damaged", ["", "{", "[1, 2]", "\0" * 40])
def test_a_damaged_file_is_no_lock(
    start: Callable[..., Holding], tmp_path: Path, damaged: str
) -> None:
    (tmp_path / "opt/closet/lock").mkdir(parents=True)
    (tmp_path / "opt/closet/lock/run.json").write_text(damaged)
    assert start(order()).news() == {"state": "holds", "before": damaged.strip()}
    assert says(tmp_path)["token"] == A


def test_a_peek_takes_nothing(start: Callable[..., Holding], tmp_path: Path) -> None:
    first = start(order())
    first.news()
    assert start(order(B, peek=True)).news()["holder"]["token"] == A
    first.leave()
    first.process.wait(5)
    assert start(order(B, peek=True)).news() == {"state": "free"}
    assert says(tmp_path)["token"] == A


@pytest.mark.parametrize("planted", ["opt/closet", "opt/closet/lock", "opt/closet/lock/run.json"])
def test_a_planted_link_is_not_followed(
    start: Callable[..., Holding], tmp_path: Path, planted: str
) -> None:
    (tmp_path / "theirs").mkdir()
    path = tmp_path / planted
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "theirs")
    assert start(order()).process.wait(5) == 1
    assert list((tmp_path / "theirs").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders away")
def test_a_folder_of_another_account_is_not_used(
    start: Callable[..., Holding], tmp_path: Path
) -> None:
    (tmp_path / "opt/closet/lock").mkdir(parents=True)
    os.chown(tmp_path / "opt/closet", 4711, 0)
    assert start(order()).process.wait(5) == 1


class Kept:
    """A keeper, and the process in the place of ansible-playbook."""

    def __init__(
        self, root: Path, password: str = "", before: str = "", signals: str = "default"
    ) -> None:
        # whoever runs the tests in the background may have made us ignore an interrupt
        self.main = subprocess.Popen(["env", f"--{signals}-signal=INT", "sleep", "60"])
        program = HOLDER.replace('root: str = "/"', f"root: str = {str(root)!r}")
        holder = [sys.executable, "-I", "-S", "-c", program, json.dumps(order())]
        argv = ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *holder]
        self.process = subprocess.Popen(
            [sys.executable, "-I", KEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        given = {
            "argv": argv,
            "password": password,
            "pid": self.main.pid,
            "identity": run_keeper.identity(self.main.pid),
            "host": "attic",
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(given).encode() + b"\n")
        self.process.stdin.close()

    def news(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")
        return found


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def one(**how: str) -> Kept:
        made.append(Kept(tmp_path, **how))
        return made[-1]

    yield one
    for each in made:
        for process in (each.main, each.process):
            process.kill()
            process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "still a zombie"])
def test_the_lock_ends_with_ansible_playbook_however_that_ends(
    keep: Callable[..., Kept], tmp_path: Path, reaped: bool
) -> None:
    kept = keep()
    assert kept.news()["state"] == "holds"
    kept.main.kill()
    if reaped:
        kept.main.wait()
    assert kept.process.wait(5) == 0
    assert says(tmp_path)["held"] is False


def test_nothing_that_reads_the_output_of_a_run_waits_for_the_keeper(
    keep: Callable[..., Kept],
) -> None:
    kept = keep()
    assert kept.news()["state"] == "holds"
    assert kept.process.stdout is not None
    assert kept.process.stdout.read() == b"", "it has closed its output"
    assert kept.process.poll() is None


def test_the_password_of_sudo_goes_in_by_its_input(
    keep: Callable[..., Kept], tmp_path: Path
) -> None:
    kept = keep(password="hush", before=f"read -r word; echo $word >{tmp_path}/given")
    assert kept.news()["state"] == "holds"
    assert (tmp_path / "given").read_text() == "hush\n"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.parent.name in (str(kept.process.pid), str(kept.main.pid)):
            assert b"hush" not in path.read_bytes()


def test_what_the_command_says_when_it_fails_is_passed_on(keep: Callable[..., Kept]) -> None:
    kept = keep(before="echo motd; echo sudo: a password is required >&2; exit 1")
    news = kept.news()
    assert (news["state"], news["rc"]) == ("failed", 1)
    assert "a password is required" in messages.failed("attic", news, "look")
    assert kept.process.wait(5) == 0


def test_a_connection_that_breaks_is_made_again(keep: Callable[..., Kept], tmp_path: Path) -> None:
    kept = keep(before=f"echo $$ >>{tmp_path}/pids")
    kept.news()
    pids = tmp_path / "pids"
    os.kill(int(pids.read_text()), signal.SIGKILL)
    until(lambda: len(pids.read_text().splitlines()) == 2, 15)
    until(lambda: says(tmp_path)["held"] is True)
    assert kept.main.poll() is None


@pytest.mark.parametrize(
    ("signals", "last"), [("default", signal.SIGINT), ("ignore", signal.SIGTERM)]
)
def test_a_run_whose_closet_another_run_took_meanwhile_is_stopped(
    keep: Callable[..., Kept],
    start: Callable[..., Holding],
    tmp_path: Path,
    signals: str,
    last: signal.Signals,
) -> None:
    kept = keep(before=f"echo $$ >>{tmp_path}/pids", signals=signals)
    kept.news()
    os.kill(int((tmp_path / "pids").read_text()), signal.SIGKILL)
    until(lambda: start(order(B)).news()["state"] == "holds")
    assert kept.main.wait(30) == -last
    assert kept.process.wait(5) == 0


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert run_keeper.identity(os.getpid()) == run_keeper.identity(os.getpid()) != ""
    process = subprocess.Popen(["sleep", "0"])
    until(lambda: run_keeper.identity(process.pid) == "")
    process.wait()
    assert run_keeper.identity(process.pid) == ""

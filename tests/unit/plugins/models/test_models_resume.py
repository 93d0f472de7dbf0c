# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resume: any sequence of cuts and kills ends in the same bytes, and fetches little twice."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.models import fetch as fetch_module
from ansible_collections.closet.inference.plugins.module_utils.models import (
    journal as journal_module,
)
from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    journal_path,
    part_path,
)
from ansible_collections.closet.inference.plugins.module_utils.models.fetch import Fetcher, FileJob
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    SHA256,
    FileEntry,
)
from ansible_collections.closet.inference.plugins.module_utils.models.part import Part
from ansible_collections.closet.inference.plugins.module_utils.models.progress import Progress
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.store import (
    FileState,
    Have,
    ModelState,
    file_states,
)
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    TransportError,
)

SIZE = 3000
PIECE = 256
CONTENT = bytes((i * 37 + i // 251) % 256 for i in range(SIZE))
ENTRY = FileEntry("model.safetensors", SIZE, SHA256, hashlib.sha256(CONTENT).hexdigest())
COMMIT = "c" * 40


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more."""


class Line:
    """A transport for one file. Each step says what the next request gets."""

    def __init__(self, steps: Iterator[tuple[str, int]]) -> None:
        self._steps = steps
        self.sent = 0

    def get(self, url: str, headers: Mapping[str, str]) -> LineReply:
        kind, number = next(self._steps, ("whole", 0))
        if kind == "gone":
            raise TransportError("no route")
        return LineReply(self, kind, number, headers.get("Range"))

    def close(self) -> None:
        """Nothing is open."""


class LineReply:
    def __init__(self, line: Line, kind: str, number: int, wanted: str | None) -> None:
        self._line, self._kind, self._number = line, kind, number
        self.url = "http://hub/file"
        self.headers: Mapping[str, str] = {}
        self.first_headers: Mapping[str, str] = {}
        self.status, start, end = 200, 0, SIZE
        if wanted and kind != "ignore":
            start, last = (int(edge) for edge in wanted[6:].split("-"))
            end, self.status = last + 1, 206
            said = start + (1 if kind == "wrong_range" else 0)
            self.headers = {"content-range": f"bytes {said}-{end - 1}/{SIZE}"}
        if kind == "busy":
            self.status = 503
        self._body = CONTENT[start:end]

    def chunks(self) -> Iterator[bytes]:
        body = self._body if self._kind in {"whole", "ignore"} else self._body[: self._number]
        for at in range(0, len(body), 100):
            chunk = body[at : at + 100]
            self._line.sent += len(chunk)
            yield chunk
        if self._kind == "kill":
            raise Killed
        if len(body) < len(self._body):
            raise TransportError("peer closed")

    def close(self) -> None:
        """Nothing is open."""


def fetch(folder: Path, line: Line, connections: int = 1) -> None:
    hub = Hub("http://hub", None, line, lambda _: None)
    progress = Progress(None, time.time, time.monotonic)
    job = FileJob("tiny", "acme/tiny", COMMIT, ENTRY, folder / ENTRY.path)
    Fetcher(hub, connections, progress).fetch([job])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(journal_module, "SMALLEST_SEGMENT", 700)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "cut", "kill", "gone", "busy", "wrong_range", "ignore"]),
        st.integers(0, SIZE),
    ),
    max_size=12,
)
RELAXED = settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RELAXED
@given(steps=STEPS, connections=st.integers(1, 4))
def test_any_cuts_and_kills_end_in_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], connections: int
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    remaining = iter(steps)
    for _ in range(len(steps) + 2):
        try:
            fetch(folder, Line(remaining), connections)
        except (Killed, ModelError):
            assert not (folder / ENTRY.path).exists()
        else:
            break
    assert part_path(folder / ENTRY.path).read_bytes() == CONTENT


@RELAXED
@given(cuts=st.lists(st.integers(0, SIZE), max_size=10))
def test_cuts_within_one_run_fetch_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    line = Line(iter([("cut", number) for number in cuts]))
    fetch(tmp_path_factory.mktemp("once"), line)
    assert line.sent == SIZE


@RELAXED
@given(kills=st.lists(st.integers(0, SIZE - 1), max_size=6), data=st.data())
def test_a_torn_journal_and_lost_bytes_do_no_harm(
    tmp_path_factory: pytest.TempPathFactory, kills: list[int], data: st.DataObject
) -> None:
    """What a power cut leaves: a shorter journal, zeros where bytes had not reached the disk."""
    folder = tmp_path_factory.mktemp("torn")
    final = folder / ENTRY.path
    for number in kills:
        try:
            fetch(folder, Line(iter([("kill", number)])))
        except Killed:
            length = journal_path(final).stat().st_size
            os.truncate(journal_path(final), data.draw(st.integers(0, length)))
            hole = data.draw(st.integers(0, max(0, part_path(final).stat().st_size - 1)))
            with part_path(final).open("r+b") as stream:
                stream.seek(hole)
                stream.write(b"\0" * 50)
                stream.truncate(max(stream.tell(), hole + 50))
        else:
            break
    else:
        fetch(folder, Line(iter(())))
    assert part_path(final).read_bytes() == CONTENT


@pytest.mark.parametrize("killed_at", [0, 1, PIECE, PIECE + 1, 2000, SIZE - 1])
def test_a_kill_costs_at_most_one_piece(tmp_path: Path, killed_at: int) -> None:
    """A real kill does not even flush: compare with what the journal held then."""
    pieces = killed_at // PIECE
    part = Part(tmp_path / ENTRY.path, ENTRY)
    part.open()
    for index in range(pieces):
        view = memoryview(CONTENT)[index * PIECE : (index + 1) * PIECE]
        part.write(0, index * PIECE, view)
    part.close()
    line = Line(iter(()))
    fetch(tmp_path, line)
    assert line.sent == SIZE - pieces * PIECE <= SIZE - killed_at + PIECE


def test_bytes_of_another_content_are_not_continued(tmp_path: Path) -> None:
    other = FileEntry(ENTRY.path, SIZE, SHA256, "d" * 64)
    part = Part(tmp_path / ENTRY.path, other)
    part.open()
    part.write(0, 0, memoryview(b"x" * PIECE))
    part.close()
    line = Line(iter(()))
    fetch(tmp_path, line)
    assert line.sent == SIZE


def test_a_verified_journal_without_its_part_is_not_believed(tmp_path: Path) -> None:
    fetch(tmp_path, Line(iter(())))
    part_path(tmp_path / ENTRY.path).unlink()
    part = Part(tmp_path / ENTRY.path, ENTRY)
    part.open()
    part.close()
    assert b"verified" not in journal_path(tmp_path / ENTRY.path).read_bytes()


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    entry = FileEntry("empty.txt", 0, SHA256, hashlib.sha256(b"").hexdigest())
    hub = Hub("http://hub", None, Line(iter([("gone", 0)] * 99)), lambda _: None)
    job = FileJob("tiny", "acme/tiny", COMMIT, entry, tmp_path / "empty.txt")
    Fetcher(hub, 2, Progress(None, time.time, time.monotonic)).fetch([job])
    assert part_path(tmp_path / "empty.txt").read_bytes() == b""


KILLED_RUN = """
import sys
from pathlib import Path
from tests.unit.plugins.models import test_models_resume as t
t.fetch_module.PIECE_BYTES = t.PIECE
line = t.Line(iter([("cut", 1000)] + [("gone", 0)] * 5))
hub = t.Hub("http://hub", None, line, lambda _: (print("cut", flush=True), sys.stdin.read()))
job = t.FileJob("tiny", "acme/tiny", t.COMMIT, t.ENTRY, Path(sys.argv[1]) / t.ENTRY.path)
t.Fetcher(hub, 1, t.Progress(None, t.time.time, t.time.monotonic)).fetch([job])
"""


def test_a_killed_process_loses_less_than_a_piece(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_RUN, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"cut\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    line = Line(iter(()))
    fetch(tmp_path, line)
    refetched = line.sent + 1000 - SIZE
    assert 0 <= refetched < PIECE
    assert part_path(tmp_path / ENTRY.path).read_bytes() == CONTENT


def test_every_prefix_of_a_journal_is_safe(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fetch(tmp_path, Line(iter([("kill", 1500)])))
    whole = journal_path(tmp_path / ENTRY.path).read_bytes()
    data = part_path(tmp_path / ENTRY.path).read_bytes()
    arrived = []
    for length in range(len(whole) + 1):
        final = tmp_path / str(length) / ENTRY.path
        final.parent.mkdir()
        journal_path(final).write_bytes(whole[:length])
        part_path(final).write_bytes(data)
        part = Part(final, ENTRY)
        part.open()
        arrived.append(part.arrived)
        part.close()
    assert arrived == sorted(arrived)
    assert (arrived[0], arrived[-1]) == (0, 1500)


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(bytes([CONTENT[at] ^ 1]))


def test_a_damaged_piece_of_a_part_is_fetched_again_with_what_was_hashed_after_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(Killed):
        fetch(tmp_path, Line(iter([("kill", 2000)])))
    damage(part_path(tmp_path / ENTRY.path), 3 * PIECE)
    line = Line(iter(()))
    fetch(tmp_path, line)
    assert line.sent == SIZE - 3 * PIECE
    assert part_path(tmp_path / ENTRY.path).read_bytes() == CONTENT


def test_bytes_that_came_again_in_other_pieces_are_believed(tmp_path: Path) -> None:
    """The journal still has the lines of the pieces that were damaged."""
    final = tmp_path / ENTRY.path
    write(final, [0, PIECE, 2 * PIECE])
    damage(part_path(final), 0)
    assert write(final, [0, 30, PIECE + 30, 3 * PIECE + 30]) == 0
    assert write(final, []) == 3 * PIECE + 30


def write(final: Path, edges: list[int]) -> int:
    """One run that writes pieces from edge to edge; what it found arrived."""
    part = Part(final, ENTRY)
    part.open()
    found = part.arrived
    for start, end in zip(edges, edges[1:], strict=False):
        part.write(0, start, memoryview(CONTENT)[start:end])
    part.close()
    return found


def test_a_damaged_piece_of_a_part_that_came_ahead_is_fetched_again_alone(tmp_path: Path) -> None:
    part = Part(tmp_path / ENTRY.path, ENTRY)
    part.open()
    for index in (1, 2, 3):
        part.write(0, index * PIECE, memoryview(CONTENT)[index * PIECE : (index + 1) * PIECE])
    part.close()
    damage(part_path(tmp_path / ENTRY.path), 2 * PIECE)
    line = Line(iter(()))
    fetch(tmp_path, line)
    assert line.sent == SIZE - 2 * PIECE
    assert part_path(tmp_path / ENTRY.path).read_bytes() == CONTENT


def test_cuts_are_forgiven_as_long_as_bytes_come(tmp_path: Path) -> None:
    line = Line(iter([("cut", 40)] * 60))
    fetch(tmp_path, line)
    assert line.sent == SIZE


def test_a_line_that_brings_nothing_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Tried 9 times in a row"):
        fetch(tmp_path, Line(iter([("cut", 40)] * 5 + [("cut", 0)] * 60)))


def test_a_part_of_full_length_with_holes_is_not_staged(tmp_path: Path) -> None:
    part = Part(tmp_path / ENTRY.path, ENTRY)
    part.open()
    part.write(0, SIZE - PIECE, memoryview(CONTENT)[-PIECE:])
    part.close()
    states = file_states(tmp_path, ModelState(None), [ENTRY])
    assert states == (FileState(ENTRY, Have.PARTIAL, PIECE),)

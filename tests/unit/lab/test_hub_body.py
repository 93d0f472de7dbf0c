"""lab.hub.body: what leaves is counted, and nothing else."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from lab.hub.body import Body, send
from lab.hub.faults import Fault


@pytest.mark.parametrize("fault", [Fault(), Fault(rate_bytes_per_s=1e9), Fault(cut_after_bytes=7)])
@pytest.mark.parametrize("length", [1, 2, 100])
def test_who_has_the_whole_answer_finds_it_counted(
    tmp_path: Path, fault: Fault, length: int
) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(length + 3))
    counted: list[int] = []
    at_the_end: list[int] = []

    class Line(io.BytesIO):
        """What has arrived when the last byte is on its way."""

        def write(self, data: Any) -> int:
            if len(self.getvalue()) + len(data) == body.limit:
                at_the_end.append(sum(counted))
            return super().write(data)

        def sendfile(self, handle: Any, offset: int, count: int) -> None:
            handle.seek(offset)
            self.write(handle.read(count))

        def setsockopt(self, *_: Any) -> None:
            """No socket."""

    with file.open("rb") as handle:
        body = Body(handle, 3, length, fault, counted.append)
        line = Line()
        assert send(body, cast(socket.socket, line), line) == body.limit
    assert at_the_end == [body.limit]
    assert sum(counted) == body.limit


@pytest.mark.parametrize("fault", [Fault(), Fault(rate_bytes_per_s=1e9)])
def test_a_last_byte_that_did_not_leave_is_not_counted(tmp_path: Path, fault: Fault) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(10))
    counted: list[int] = []

    class Line:
        """Breaks at the last byte."""

        def write(self, data: bytes) -> None:
            if len(data) == 1:
                raise BrokenPipeError

        def sendfile(self, handle: Any, offset: int, count: int) -> None:
            handle.seek(offset)
            self.write(bytes(count))
            handle.seek(offset + count)

        def setsockopt(self, *_: Any) -> None:
            """No socket."""

    with file.open("rb") as handle:
        line = cast(Any, Line())
        assert send(Body(handle, 0, 10, fault, counted.append), line, line) == 9
    assert sum(counted) == 9

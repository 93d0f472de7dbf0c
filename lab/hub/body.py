"""The bytes of one answer, at the speed and with the faults that a test asked for."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from lab.hub.faults import Fault

CHUNK = 64 << 10
LARGEST_CHUNK = 512 << 10
#: of the kernel's own copy: after each one the count is written down
SLICE = 4 << 20
#: so that a slow answer is slow for the client and not full in the kernel
SMALL_BUFFER = 32 << 10
OTHER = bytes(255 - value for value in range(256))
"""What each byte becomes in a file that was changed under its name."""


@dataclass(frozen=True)
class Body:
    """`length` bytes of a file from `start` on. `count` hears of each piece that left.

    The last byte leaves alone and is counted before: who has the whole answer finds it counted.
    """

    handle: BinaryIO
    start: int
    length: int
    fault: Fault
    count: Callable[[int], None] | None = None

    @property
    def limit(self) -> int:
        """How many bytes are sent before the connection is dropped."""
        cut = self.fault.cut_after_bytes
        return self.length if cut is None else min(self.length, cut)

    @property
    def paced(self) -> bool:
        """Whether somebody wants it slow."""
        return self.fault.rate_bytes_per_s is not None or self.fault.burst_bytes is not None

    def read(self, offset: int, size: int) -> bytes:
        """A piece as it leaves; `offset` counts from the start of the answer."""
        piece = self.handle.read(size)
        if self.fault.changed:
            piece = piece.translate(OTHER)
        place = -1 if self.fault.flip_at is None else self.fault.flip_at - self.start - offset
        if 0 <= place < len(piece):
            piece = piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :]
        return piece

    def piece(self, sent: int, most: int) -> tuple[int, bool]:
        """The size of the next piece, and whether it is the last byte, which is counted now."""
        ahead = self.limit - sent
        last = ahead == 1
        if last:
            self.sent(1)
        return (1 if last else min(most, ahead - 1)), last

    def sent(self, size: int) -> None:
        """Tell whoever counts; fewer than nothing takes back."""
        if self.count is not None and size:
            self.count(size)


def send(body: Body, connection: socket.socket, out: Any) -> int:
    """The body; returns how much of it left, less than its length when the line was cut."""
    untouched = body.fault.flip_at is None and not body.fault.changed
    if untouched and not body.paced and body.limit == body.length:
        return _send_at_once(body, connection)
    return _send_by_pieces(body, connection, out)


def _send_at_once(body: Body, connection: socket.socket) -> int:
    """By the kernel's own copy (sendfile(2)), which costs this process next to nothing."""
    sent = 0
    while sent < body.length:
        size, counted = body.piece(sent, SLICE)
        before = body.start + sent
        try:
            connection.sendfile(body.handle, before, size)
            left = size
        except OSError:  # the client went away; Python leaves the position behind what was sent
            left = body.handle.tell() - before
        body.sent(left - size if counted else left)
        sent += left
        if left < size:
            break
    return sent


def _send_by_pieces(body: Body, connection: socket.socket, out: Any) -> int:
    rate, burst = body.fault.rate_bytes_per_s, body.fault.burst_bytes
    # a fortieth of a second's worth at a time, each sent when it is due
    chunk = max(1, min(LARGEST_CHUNK, int(rate / 40))) if rate else CHUNK
    if body.paced:
        buffer = max(SMALL_BUFFER, chunk)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    began, sent, since_pause = time.monotonic(), 0, 0
    body.handle.seek(body.start)
    while sent < body.limit:
        size, counted = body.piece(sent, min(chunk, burst - since_pause) if burst else chunk)
        piece = body.read(sent, size)
        due = (sent + len(piece)) / rate if rate else 0.0
        time.sleep(max(0.0, began + due - time.monotonic()))
        try:
            out.write(piece)
        except OSError:  # the client went away
            body.sent(-size if counted else 0)
            return sent
        body.sent(0 if counted else len(piece))
        sent += len(piece)
        since_pause += len(piece)
        if burst and since_pause >= burst:
            time.sleep(body.fault.pause_s)
            began += body.fault.pause_s
            since_pause = 0
    return sent

"""The control socket: who asks is the kernel's word (SO_PEERCRED), answers may come later."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import protocol, verbs, wire
from .errors import EIO, message
from .protocol import Answer, Reply, Request
from .supervisor import Supervisor

MAXIMUM_REQUEST = 1 << 20
PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid

Extra = Callable[[Request], "Answer | None"]


@dataclass
class _Call:
    """One connection: its bytes, then its answer, then when the answer may go out."""

    connection: socket.socket
    pid: int
    uid: int
    received: bytes = b""
    answer: Answer | None = None
    due: float = 0.0


class Server:
    """Accepts launchctl calls on a selector that the daemon turns."""

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        supervisor: Supervisor,
        extra: Extra,
    ) -> None:
        self._selector = selector
        self._supervisor = supervisor
        self._extra = extra
        self._calls: list[_Call] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        path.chmod(0o666)
        self._listener.listen(64)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
            pid, uid, _ = PEER.unpack(raw)
            call = _Call(connection, pid, uid)
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(call))

    def _receive(self, call: _Call) -> None:
        try:
            chunk = call.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        call.received += chunk
        complete = call.received.endswith(b"\n")
        if not chunk or len(call.received) > MAXIMUM_REQUEST:
            self._close(call)
        elif complete and call.answer is None:
            self._handle(call)

    def _handle(self, call: _Call) -> None:
        try:
            asked = protocol.request(wire.decode(call.received), call.uid, call.pid)
        except (ValueError, KeyError, TypeError):
            self._close(call)
            return
        call.answer = self._extra(asked) or self._handled(asked)
        now = self._supervisor.host.clock.moment().now
        call.due = now + self._supervisor.faults.verb_delay_s
        self._calls.append(call)

    def _handled(self, asked: Request) -> Answer:
        """Answer, whatever happens: a full disk or a fault of ours must not end pid 1."""
        try:
            return verbs.handle(self._supervisor, asked)
        except Exception as problem:
            self._supervisor.log.write("system", f"{asked.verb}: {problem!r}")
            return Reply(EIO, err=f"{EIO}: {message(EIO)}\n")

    def flush(self) -> None:
        """Send every answer that is ready and due."""
        now = self._supervisor.host.clock.moment().now
        for call in list(self._calls):
            if now < call.due:
                continue
            reply = call.answer if isinstance(call.answer, Reply) else None
            if callable(call.answer):
                reply = call.answer()
            if reply is not None:
                self._send(call, reply)

    def next_deadline(self) -> float | None:
        now = self._supervisor.host.clock.moment().now
        return min((call.due for call in self._calls if call.due > now), default=None)

    def _send(self, call: _Call, reply: Reply) -> None:
        call.connection.setblocking(True)
        call.connection.settimeout(1.0)  # a caller that does not read must not hold up pid 1
        with contextlib.suppress(OSError):
            words = {"rc": reply.rc, "out": reply.out, "err": reply.err}
            call.connection.sendall(wire.encode(words))
        self._close(call)

    def _close(self, call: _Call) -> None:
        self._selector.unregister(call.connection)
        call.connection.close()
        if call in self._calls:
            self._calls.remove(call)

    def close(self) -> None:
        """Take the socket away."""
        path = self._listener.getsockname()
        self._selector.unregister(self._listener)
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - the kernel's own spelling of the name

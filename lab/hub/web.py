"""What both of the hub's servers share: the request log, JSON answers, files with ranges."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from lab.hub.body import Body, send
from lab.hub.faults import Fault

IDLE_TIMEOUT_S = 120
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Journal:
    """A file with one JSON object per answered request; tests read it.

    A file's line says how much of it left, so it comes a moment after the last byte.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append one line at once, whole."""
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


class WebServer(ThreadingHTTPServer):
    """A server on one address that knows its journal."""

    daemon_threads = True
    # many simulated Macs ask at the same moment
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], handler: type[WebHandler], name: str, journal: Journal
    ) -> None:
        self.name = name
        self.journal = journal
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of our own name, which waits for a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


@dataclass(frozen=True)
class Span:
    """The part of a file that is sent, `start` to `end` inclusive."""

    start: int
    end: int
    partial: bool

    @property
    def length(self) -> int:
        """Bytes in it."""
        return self.end - self.start + 1


def requested_span(header: str | None, size: int) -> Span | None:
    """What a Range header asks of a file; None when it lies outside (RFC 9110, 14.1.2).

    Anything but a single byte range is answered with the whole file, as the RFC allows.
    """
    whole = Span(0, size - 1, partial=False)
    match = RANGE.fullmatch(header or "")
    if match is None or match[0] == "bytes=-":
        return whole
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last or size - 1), size - 1)
    if last and first and int(last) < int(first):
        return whole
    return Span(start, end, partial=True) if start < size and end >= start else None


def shifted(span: Span, by: int, size: int) -> Span:
    """Another range of the same file: what a server sends that cannot count."""
    start = min(max(0, span.start + by), size - 1)
    return Span(start, min(max(start, span.end + by), size - 1), partial=True)


class WebHandler(BaseHTTPRequestHandler):
    """A read-only handler; subclasses answer in `answer`."""

    protocol_version = "HTTP/1.1"
    server_version = "closet-lab-hub"
    timeout = IDLE_TIMEOUT_S
    # as servers of the world do: else an answer's last bytes wait for the client's delayed ACK
    disable_nagle_algorithm = True
    server: WebServer

    def answer(self) -> None:
        """Answer the request; the path is in `self.path`."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Any request without a body."""
        self.answer()

    do_HEAD = do_POST = do_DELETE = do_PUT = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited name
        """The journal replaces the log on stderr."""

    def read_body(self) -> bytes:
        """The body of a request that has one."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def record(self, status: int, sent: int, **more: Any) -> None:
        """Write the request and its answer into the journal; credentials only as a yes or no."""
        entry = {
            "t": round(time.time(), 3),
            "server": self.server.name,
            "client": self.client_address[0],
            "method": self.command,
            "path": self.path,
            "range": self.headers.get("Range"),
            "agent": (self.headers.get("User-Agent") or "")[:80],
            "authorized": "Authorization" in self.headers,
            "status": status,
            "bytes": sent,
        }
        self.server.journal.add({**entry, **more})

    def send_bytes(
        self,
        content: bytes,
        content_type: str,
        status: int = HTTPStatus.OK,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """A whole answer from memory."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        sent = 0 if self.command == "HEAD" else len(content)
        # first, so that whoever has the answer finds it in the journal
        self.record(status, sent)
        if sent:
            self.wfile.write(content)

    def send_json(
        self, content: Any, status: int = HTTPStatus.OK, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A whole answer as JSON."""
        self.send_bytes(json.dumps(content).encode(), "application/json", status, headers)

    def send_file(
        self,
        path: Path,
        headers: Iterable[tuple[str, str]] = (),
        fault: Fault | None = None,
        count: Callable[[int], None] | None = None,
        **more: Any,
    ) -> None:
        """A file or the range of it that was asked for; a fault may slow, spoil or cut it.

        `count` is told how many bytes left, piece by piece; `more` goes into the journal.
        """
        fault = fault or Fault()
        size = path.stat().st_size
        asked = None if fault.ignore_range else self.headers.get("Range")
        span = requested_span(asked, size)
        if span is None:
            outside = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            return self.send_bytes(
                b"", "text/plain", outside, [("Content-Range", f"bytes */{size}")]
            )
        if span.partial:
            span = shifted(span, fault.range_shift, size)
        length = max(0, span.length + fault.length_delta)
        status = HTTPStatus.PARTIAL_CONTENT if span.partial else HTTPStatus.OK
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        if span.partial:
            self.send_header("Content-Range", f"bytes {span.start}-{span.end}/{size}")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        if self.command != "HEAD":
            with path.open("rb") as handle:
                body = Body(handle, span.start, min(span.length, length), fault, count)
                sent = send(body, self.connection, self.wfile)
        whole = sent == length or self.command == "HEAD"
        self.close_connection |= not whole
        return self.record(status, sent, **more, **({} if whole else {"cut": True}))

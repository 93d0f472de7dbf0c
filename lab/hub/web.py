"""What both of the hub's servers share: the request log, JSON answers, files with ranges."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any, BinaryIO

from lab.hub.faults import Fault

CHUNK = 64 << 10
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


class WebHandler(BaseHTTPRequestHandler):
    """A read-only handler; subclasses answer in `answer`."""

    protocol_version = "HTTP/1.1"
    server_version = "closet-lab-hub"
    timeout = IDLE_TIMEOUT_S
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
        self, path: Path, headers: Iterable[tuple[str, str]] = (), fault: Fault | None = None
    ) -> None:
        """A file or the range of it that was asked for; a fault may slow it down or cut it."""
        size = path.stat().st_size
        span = requested_span(self.headers.get("Range"), size)
        if span is None:
            outside = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            return self.send_bytes(
                b"", "text/plain", outside, [("Content-Range", f"bytes */{size}")]
            )
        status = HTTPStatus.PARTIAL_CONTENT if span.partial else HTTPStatus.OK
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(span.length))
        self.send_header("Accept-Ranges", "bytes")
        if span.partial:
            self.send_header("Content-Range", f"bytes {span.start}-{span.end}/{size}")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        if self.command != "HEAD":
            with path.open("rb") as handle:
                sent = self._send_span(handle, span, fault)
        whole = sent == span.length or self.command == "HEAD"
        return self.record(status, sent, **({} if whole else {"cut": True}))

    def _send_span(self, handle: BinaryIO, span: Span, fault: Fault | None) -> int:
        """The body; returns how much of it left, less than asked when the connection ended."""
        rate = fault.rate_bytes_per_s if fault else None
        cut = fault.cut_after_bytes if fault else None
        limit = span.length if cut is None else min(span.length, cut)
        sent = 0
        try:
            if rate is None and limit == span.length:
                return self._send_at_once(handle, span)
            handle.seek(span.start)
            # a tenth of a second's worth at a time, each sent when it is due
            chunk = max(1, min(CHUNK, int(rate / 10))) if rate else CHUNK
            began = time.monotonic()
            while sent < limit:
                block = handle.read(min(chunk, limit - sent))
                due = (sent + len(block)) / rate if rate else 0.0
                time.sleep(max(0.0, began + due - time.monotonic()))
                self.wfile.write(block)
                sent += len(block)
        except OSError:  # the client went away
            pass
        self.close_connection |= sent < span.length
        return sent

    def _send_at_once(self, handle: BinaryIO, span: Span) -> int:
        """The whole body by the kernel's own copy (sendfile(2)); returns how much of it left."""
        if not span.length:
            return 0
        handle.seek(span.start)
        try:
            self.connection.sendfile(handle, span.start, span.length)
        except OSError:  # the client went away; Python leaves the position behind what was sent
            self.close_connection = True
        return handle.tell() - span.start

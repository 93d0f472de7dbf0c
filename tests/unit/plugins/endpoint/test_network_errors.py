"""One sentence for each way in which a connection fails, however it is wrapped."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from ansible_collections.closet.inference.plugins.module_utils.network_errors import (
    Cause,
    describe_os_error,
)

CASES = {
    "nothing listens": (
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        Cause("refused", "connection refused, nothing listens there"),
    ),
    "silence": (socket.timeout("timed out"), Cause("silent", "no answer came in time")),
    "no such name": (
        socket.gaierror(8, "nodename nor servname provided, or not known"),
        Cause("name", "the name does not resolve (nodename nor servname provided, or not known)"),
    ),
    "no route": (
        OSError(errno.EHOSTUNREACH, "No route to host"),
        Cause("unreachable", "out of reach (No route to host)"),
    ),
    "hung up": (ConnectionResetError(), Cause("closed", "the server closed the connection")),
    "TLS": (ssl.SSLError("bad"), Cause("tls", "no trusted TLS connection (('bad',))")),
    "anything else": (ValueError("odd"), Cause("other", "odd")),
    "nothing to say": (ValueError(), Cause("other", "ValueError")),
}


@pytest.mark.parametrize(("error", "cause"), CASES.values(), ids=CASES)
def test_causes(error: Exception, cause: Cause) -> None:
    assert describe_os_error(error) == cause


def test_what_a_library_wraps_is_found() -> None:
    outer = RuntimeError("All connection attempts failed")
    outer.__cause__ = ConnectionRefusedError()
    assert describe_os_error(outer).kind == "refused"


def test_a_long_text_is_cut() -> None:
    assert describe_os_error(ValueError("x" * 300)).words == "x" * 200 + "…"

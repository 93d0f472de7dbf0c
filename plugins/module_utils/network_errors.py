# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a connection failed, in the same words for every client."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)
LONGEST = 200


@dataclass(frozen=True)
class Cause:
    """`kind` is refused, silent, unreachable, name, tls, closed or other; `words` say it."""

    kind: str
    words: str


def describe_os_error(error: object) -> Cause:
    """From the outermost exception that says it; a library may have wrapped the system's."""
    for candidate in chain(error):
        cause = _cause(candidate)
        if cause:
            return cause
    text = str(error).strip() or type(error).__name__
    return Cause("other", text if len(text) < LONGEST else f"{text[:LONGEST]}…")


def chain(error: object) -> Iterator[object]:
    """An exception and what it came from."""
    while error is not None:
        yield error
        error = getattr(error, "__cause__", None) or getattr(error, "__context__", None)


def _cause(error: object) -> Cause | None:
    if isinstance(error, socket.gaierror):
        return Cause("name", f"the name does not resolve ({error.strerror})")
    if isinstance(error, (socket.timeout, TimeoutError)):
        return Cause("silent", "no answer came in time")
    if isinstance(error, ssl.SSLError):
        return Cause("tls", f"no trusted TLS connection ({error})")
    if isinstance(error, ConnectionRefusedError):
        return Cause("refused", "connection refused, nothing listens there")
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return Cause("closed", "the server closed the connection")
    if isinstance(error, OSError) and error.errno in UNREACHABLE:
        return Cause("unreachable", f"out of reach ({error.strerror})")
    return None

"""What launchctl and launchd say to each other: one line of JSON each way over the socket.

Light on purpose: launchctl imports this on every call.
"""

from __future__ import annotations

import json
from typing import Any

SOCKET = "/var/run/launchd.sock"
SOCKET_VARIABLE = "CLOSET_LAB_LAUNCHD_SOCKET"  # tests run launchd elsewhere than as pid 1


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the object on a line; raises ValueError for anything else."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message

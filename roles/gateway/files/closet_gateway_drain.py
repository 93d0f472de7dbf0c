# Managed by closet.inference. Lets what the gateway has passed on be answered.
"""Before a model server behind the gateway is told to end: wait until it owes nobody an answer.

mlx_lm and ollama do not say what they are doing, but Caddy counts what it has passed on to them. It
is asked by its socket, which is the account's alone. Who asks without a pause does not keep the
server from ending: the wait has a limit. The exit code is 0 when nothing was owed in the end, 1
when something was, or when that could not be seen.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import time

PAUSE_S = 0.25
ASK_TIMEOUT_S = 5.0


class Admin(http.client.HTTPConnection):
    """Caddy's admin API, over its socket."""

    def __init__(self, path: str) -> None:
        super().__init__("127.0.0.1", timeout=ASK_TIMEOUT_S)
        self.path = path

    def connect(self) -> None:
        """As HTTPConnection does, to a path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ASK_TIMEOUT_S)
        self.sock.connect(self.path)


def main() -> int:
    """Say in one line how it went; the exit code tells launchd_job whether to warn."""
    words = parser().parse_args()
    began = time.monotonic()
    try:
        owed = until_idle(words.socket, began + words.idle)
    except (ConnectionRefusedError, FileNotFoundError):
        return told(0, "no gateway runs, so nothing has to be finished")
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        return told(
            1, f"the gateway does not say what it is doing ({error}); it was not waited for"
        )
    waited = time.monotonic() - began
    if owed:
        return told(1, f"{owed} answers were owed after {waited:.0f} s; it is ended all the same")
    return told(0, f"idle after {waited:.1f} s")


def until_idle(path: str, deadline: float) -> int:
    """Wait, and return how many answers are still owed."""
    while True:
        owed = passed_on(path)
        if not owed or time.monotonic() >= deadline:
            return owed
        time.sleep(PAUSE_S)


def passed_on(path: str) -> int:
    """How many requests Caddy has passed on that were not answered to their end."""
    talk = Admin(path)
    try:
        talk.request("GET", "/reverse_proxy/upstreams")
        answer = talk.getresponse()
        text = answer.read()
    finally:
        talk.close()
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return sum(int(upstream["num_requests"]) for upstream in json.loads(text) or [])


def told(code: int, sentence: str) -> int:
    """Print the one line."""
    print(f"closet-gateway-drain: {sentence}", file=sys.stderr if code else sys.stdout)
    return code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(prog="closet-gateway-drain", description=__doc__)
    words.add_argument("--socket", required=True, help="Caddy's admin socket")
    words.add_argument(
        "--idle", type=float, required=True, help="seconds to wait for it to be idle"
    )
    return words


if __name__ == "__main__":
    sys.exit(main())

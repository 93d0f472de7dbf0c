# Managed by closet.inference. Waits until the requests that the gateway passed on are answered.
"""Before a model server behind the gateway stops: wait until it has answered all requests.

mlx_lm and ollama do not report their load, but Caddy counts the requests that it has passed on to
them. Caddy reports the count on its socket, which only the account can open. The wait has a limit,
so that a client without pauses cannot prevent the stop. The exit code is 0 when no answer was
pending at the end, and 1 when one was or when the count is unknown.
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
        """Connect as HTTPConnection does, to a socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ASK_TIMEOUT_S)
        self.sock.connect(self.path)


def main() -> int:
    """Report the result in one line; the exit code tells launchd_job whether to warn."""
    words = parser().parse_args()
    began = time.monotonic()
    try:
        owed = until_idle(words.socket, began + words.idle)
    except (ConnectionRefusedError, FileNotFoundError):
        return told(0, "no gateway runs, so there is no request to wait for")
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        return told(1, f"the gateway does not report its load ({error}); it was not waited for")
    waited = time.monotonic() - began
    if owed:
        return told(1, f"{owed} answers were pending after {waited:.0f} s; it is stopped anyway")
    return told(0, f"idle after {waited:.1f} s")


def until_idle(path: str, deadline: float) -> int:
    """Wait, and return the number of pending answers."""
    while True:
        owed = passed_on(path)
        if not owed or time.monotonic() >= deadline:
            return owed
        time.sleep(PAUSE_S)


def passed_on(path: str) -> int:
    """Number of requests that Caddy has passed on and that are not answered completely yet."""
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

# Managed by closet.inference. Waits until omlx is idle, then unloads its models.
"""Before omlx stops: wait until no request is running or queued, then unload the loaded models.

SIGTERM starts launchd's clock (ExitTimeOut), and a kill while a large model unloads can leak its
wired memory until the next boot (omlx issue 2184). So the slow parts come before SIGTERM. The wait
has a limit, so that a client without pauses cannot prevent the stop. The exit code is 0 when omlx
was idle at the end, and 1 when it was busy or did not report its state.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

PAUSE_S = 0.5
ASK_TIMEOUT_S = 10.0
UNLOAD_TIMEOUT_S = 60.0
BUSY = ("active_requests", "waiting_requests", "models_loading")


class RefusedError(Exception):
    """omlx accepts no key of its own file: the file changed, and omlx has not read it yet."""


class Server:
    """The omlx on this host's loopback."""

    def __init__(self, port: int, keys: list[str]) -> None:
        self.port = port
        self.keys = keys

    def ask(self, method: str, path: str, timeout_s: float = ASK_TIMEOUT_S) -> Any:
        """The answer, with the first key that omlx accepts; raises OSError without one."""
        while True:
            headers = {"Authorization": f"Bearer {self.keys[0]}"} if self.keys else {}
            talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
            try:
                talk.request(method, path, headers=headers)
                answer = talk.getresponse()
                text = answer.read()
            finally:
                talk.close()
            if answer.status != 401:
                return json.loads(text)
            self.keys = self.keys[1:]
            if not self.keys:
                raise RefusedError


def main() -> int:
    """Report the result in one line; the exit code tells launchd_job whether to warn."""
    words = parser().parse_args()
    try:
        server = Server(words.port, list(keys(Path(words.settings))))
        began = time.monotonic()
        busy = until_idle(server, began + words.idle)
        unloaded = [] if busy and words.only_idle else unload(server, words.keep)
    except (ConnectionRefusedError, FileNotFoundError):
        return told(0, f"nothing answers on port {words.port}, so there is no request to wait for")
    except RefusedError:
        return told(1, "omlx does not accept the key in its settings; it is stopped without a wait")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return told(1, f"omlx does not report its state ({error}); it is stopped without a wait")
    waited = time.monotonic() - began
    if busy and words.only_idle:
        return told(0, f"busy ({busy}), left alone")
    if busy:
        return told(1, f"still busy after {waited:.0f} s ({busy}); it is stopped anyway")
    return told(0, f"idle after {waited:.1f} s, unloaded: {', '.join(unloaded) or 'nothing'}")


def keys(settings: Path) -> Iterator[str]:
    """The keys in omlx's own file, the main one first; omlx may not have read a changed one yet."""
    auth = json.loads(settings.read_text(encoding="utf-8")).get("auth") or {}
    if auth.get("api_key"):
        yield str(auth["api_key"])
    for entry in auth.get("sub_keys") or []:
        yield str(entry.get("key", ""))


def until_idle(server: Server, deadline: float) -> str:
    """Wait, and return the work that remains; empty when omlx is idle."""
    while True:
        status = server.ask("GET", "/api/status")
        busy = [f"{status[name]} {name}" for name in BUSY if status.get(name)]
        if not busy or time.monotonic() >= deadline:
            return ", ".join(busy)
        time.sleep(PAUSE_S)


def unload(server: Server, keep: list[str]) -> list[str]:
    """Unload all models except those to keep, and return their names; omlx continues to run."""
    status = server.ask("GET", "/api/status")
    loaded = [str(name) for name in status.get("loaded_models") or [] if name not in keep]
    for name in loaded:
        server.ask("POST", f"/v1/models/{quote(name, safe='')}/unload", UNLOAD_TIMEOUT_S)
    return loaded


def told(code: int, sentence: str) -> int:
    """Print the one line."""
    print(f"closet-omlx-drain: {sentence}", file=sys.stderr if code else sys.stdout)
    return code


def parser() -> argparse.ArgumentParser:
    """The command line, without keys."""
    words = argparse.ArgumentParser(prog="closet-omlx-drain", description=__doc__)
    words.add_argument("--settings", required=True, help="omlx's settings.json")
    words.add_argument("--port", type=int, required=True)
    words.add_argument(
        "--idle", type=float, required=True, help="seconds to wait for it to be idle"
    )
    words.add_argument("--keep", action="append", default=[], help="model that stays loaded")
    words.add_argument("--only-idle", action="store_true", help="do nothing while it is busy")
    return words


if __name__ == "__main__":
    sys.exit(main())

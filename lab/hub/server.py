"""The lab's hub: `python -m lab.hub.server --bind ADDRESS --cache DIR --log FILE`.

Port 8080 is a Hugging Face hub over `<cache>/hub`, port 8081 a Python package index and an npm
registry over `<cache>/wheels` and `<cache>/npm`. Both listen on the given address alone. The log
has one JSON object per request. A line on stdout says when both listen; SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from lab.hub.hf import HubServer
from lab.hub.packages import PackageServer
from lab.hub.repository import Repositories
from lab.hub.web import Journal, WebServer
from lab.parts.cache import cache_root

HUB_PORT = 8080
PACKAGES_PORT = 8081


def open_servers(
    address: str, cache: Path, log: Path, *, hub_port: int, packages_port: int
) -> tuple[WebServer, ...]:
    """Both servers, bound and listening; port 0 takes a free one."""
    journal = Journal(log)
    repositories = Repositories(cache / "hub")
    return (
        HubServer((address, hub_port), repositories, journal),
        PackageServer((address, packages_port), cache, journal),
    )


def serve(servers: tuple[WebServer, ...]) -> None:
    """Answer until SIGTERM or SIGINT."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        print(f"{server.name} listens on {host!s}:{port}", flush=True)
    ended.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="lab.hub.server", description=__doc__)
    parser.add_argument("--bind", required=True, metavar="ADDRESS", help="the one to listen on")
    parser.add_argument("--cache", type=Path, default=cache_root(), help="default: %(default)s")
    parser.add_argument("--log", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--hub-port", type=int, default=HUB_PORT, help="default: %(default)s")
    parser.add_argument(
        "--packages-port", type=int, default=PACKAGES_PORT, help="default: %(default)s"
    )
    options = parser.parse_args()
    try:
        servers = open_servers(
            options.bind,
            options.cache,
            options.log,
            hub_port=options.hub_port,
            packages_port=options.packages_port,
        )
    except OSError as problem:
        sys.exit(f"hub: cannot listen on {options.bind}: {problem}")
    serve(servers)


if __name__ == "__main__":
    main()

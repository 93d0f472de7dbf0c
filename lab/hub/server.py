"""The lab's hub: `python -m lab.hub.server --bind ADDRESS --cache DIR --log FILE`.

Port 8080 is a Hugging Face hub over `<cache>/hub`, port 8082 the storage that it redirects to for
big files, port 8081 a Python package index and an npm registry over `<cache>/wheels` and
`<cache>/npm`, port 8083 an MCP server and a model that calls its tools. All listen on the given
address alone. The log has one JSON object per request; what tests add to the hub, and what it
counts, lives beside the log. A line on stdout says when each one listens; SIGTERM ends them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from lab.hub.faults import Faults
from lab.hub.hf import HubServer
from lab.hub.history import History
from lab.hub.packages import PackageServer
from lab.hub.repository import Repositories
from lab.hub.served import Served
from lab.hub.storage import StorageServer
from lab.hub.tools import TOOLS_PORT, ToolServer
from lab.hub.web import Journal, WebServer
from lab.parts.cache import cache_root

HUB_PORT = 8080
PACKAGES_PORT = 8081
STORAGE_PORT = 8082


def open_servers(
    address: str,
    cache: Path,
    log: Path,
    *,
    hub_port: int,
    packages_port: int,
    storage_port: int = 0,
    tools_port: int = 0,
) -> tuple[WebServer, ...]:
    """The hub, packages, the hub's storage and the tools, listening; port 0 takes a free one."""
    journal = Journal(log)
    state = log.with_name(f"{log.stem}.state")
    history = History(Repositories(cache / "hub"), state)
    served = Served(state / "served")
    faults = Faults(state / "faults.json")
    hub = HubServer((address, hub_port), history, served, faults, cache, journal)
    packages = PackageServer((address, packages_port), cache, journal)
    storage = StorageServer((address, storage_port), history, faults, served, journal)
    hub.storage_port = storage.server_port
    return hub, packages, storage, ToolServer((address, tools_port), journal)


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
    parser.add_argument(
        "--storage-port", type=int, default=STORAGE_PORT, help="default: %(default)s"
    )
    parser.add_argument("--tools-port", type=int, default=TOOLS_PORT, help="default: %(default)s")
    options = parser.parse_args()
    try:
        servers = open_servers(
            options.bind,
            options.cache,
            options.log,
            hub_port=options.hub_port,
            packages_port=options.packages_port,
            storage_port=options.storage_port,
            tools_port=options.tools_port,
        )
    except OSError as problem:
        sys.exit(f"hub: cannot listen on {options.bind}: {problem}")
    serve(servers)


if __name__ == "__main__":
    main()

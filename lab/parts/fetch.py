"""Fetch everything the lab needs from outside into the cache, once: `python -m lab.parts.fetch`.

`<cache>/wheels/` gets the wheels of omlx.lock and installer.lock with an `index.json` (sha256 and
size of each), `<cache>/npm/` the opencode package with one of its own. The lab's hub serves both.
Everything arrives under a temporary name and is checked against its lock before it is moved in;
a complete cache costs a look at names and sizes.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.parts.cache import PartsError, cache_root, locked
from lab.parts.opencode import fetch_opencode
from lab.parts.wheels import fetch_wheels


def fetch(cache: Path) -> str:
    """Fetch what is missing; one sentence about what is there now."""
    began = time.monotonic()
    with locked(cache, "parts"), ThreadPoolExecutor(2) as pool:
        opencode = pool.submit(fetch_opencode, cache)
        wheels = pool.submit(fetch_wheels, cache)
        fetched, count = wheels.result()
        new_opencode, version = opencode.result()
    took = time.monotonic() - began
    news = f"fetched {fetched} wheels" if fetched else "no wheel was missing"
    news += f", opencode {version} {'fetched' if new_opencode else 'was there'}"
    return f"{count} wheels and opencode {version} in {cache} ({news}; {took:.1f} s)"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="lab.parts.fetch", description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache_root(), help="default: %(default)s")
    options = parser.parse_args()
    try:
        print(f"parts: {fetch(options.cache)}")
    except PartsError as problem:
        sys.exit(f"parts: {problem}")


if __name__ == "__main__":
    main()

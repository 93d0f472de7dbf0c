"""What no pull with httpx and sha256 can do without, each alone in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clients import Client

MIB = 1 << 20
#: the pool, the chunks and the import are as in plugins/module_utils/models/transport.py
STREAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
sys.modules["httpx._main"] = None
import httpcore, httpx
httpcore.HTTP11Connection.READ_NUM_BYTES = 512 << 10
with httpx.Client(follow_redirects=True) as client, ThreadPoolExecutor(4) as pool:
    def drain(url):
        with client.stream("GET", url) as response:
            response.raise_for_status()
            return sum(len(chunk) for chunk in response.iter_raw())
    assert sum(pool.map(drain, sys.argv[2:])) == int(sys.argv[1])
"""
HASH = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
def digest(size):
    hasher, piece = hashlib.sha256(), bytes(512 << 10)
    for _ in range(size // len(piece)):
        hasher.update(piece)
    return hasher.hexdigest()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(digest, map(int, sys.argv[1:])))
"""


def httpx_alone(endpoint: str, repo: str, sizes: Sequence[int]) -> Client:
    """httpx takes the bytes of files of so many MiB, one thread each, and drops them."""

    def argv(_endpoint: str, files: Sequence[str], _target: Path) -> list[str]:
        urls = [f"{endpoint}/{repo}/resolve/main/{name}" for name in files]
        return [sys.executable, "-c", STREAM, str(sum(sizes) * MIB), *urls]

    return Client("httpx alone", argv, {})


def sha256_alone(sizes: Sequence[int]) -> Client:
    """As many bytes as the files have, hashed from memory, one thread each."""

    def argv(_endpoint: str, _files: Sequence[str], _target: Path) -> list[str]:
        return [sys.executable, "-c", HASH, *(str(size * MIB) for size in sizes)]

    return Client("sha256 alone", argv, {})

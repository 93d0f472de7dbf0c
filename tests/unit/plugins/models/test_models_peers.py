# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model taken from another host's disk: the same hashes, and the hub for whatever is wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.peers import Peers
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
)
from tests.unit.plugins.models.bench import REPO, SHARDS, Bench, served_files, tiny_model


class Share(BaseHTTPRequestHandler):
    """A folder with byte ranges, as starlette's StaticFiles answers."""

    protocol_version = "HTTP/1.1"
    root: Path
    ranges = True

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        try:
            data = (self.root / self.path.lstrip("/")).read_bytes()
        except OSError:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        start, end = 0, len(data)
        if wanted and self.ranges:
            start, end = int(wanted[1]), min(end, int(wanted[2]) + 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.write(data[start:end])


@pytest.fixture
def first(bench: Bench, tmp_path: Path) -> Bench:
    """Another host that has the model already."""
    bench.hub.publish(REPO, tiny_model())
    other = Bench(bench.hub, tmp_path / "first")
    other.run()
    bench.forget_requests()
    return other


@pytest.fixture
def share(first: Bench) -> Iterator[type[Share]]:
    handler = type("BoundShare", (Share,), {"root": first.store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


def peers_at(*addresses: str) -> Peers:
    return Peers(addresses, cache(lambda: HttpxTransport(4, near=True)))


def test_every_byte_comes_from_the_peer_and_its_hash_from_the_hub(
    bench: Bench, first: Bench, share: Any
) -> None:
    result = bench.run(peers=peers_at(share.address))
    size = sum(len(data) for data in served_files(tiny_model()).values())
    assert bench.hub.bodies == []
    assert bench.hub.paths("/tree/")
    assert result["peer_bytes"] == size
    assert bench.model_files() == served_files(tiny_model())
    assert not bench.run(peers=peers_at(share.address))["changed"]


def test_a_damaged_copy_costs_a_look_at_the_hub(bench: Bench, first: Bench, share: Any) -> None:
    shard = first.folder / SHARDS[0]
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    bench.run(peers=peers_at(share.address))
    assert bench.model_files() == served_files(tiny_model())
    assert {path.rpartition("/")[2] for path in bench.hub.bodies} == {SHARDS[0]}


@pytest.mark.parametrize("trouble", ["gone", "no ranges", "truncated", "nobody"])
def test_a_peer_that_does_not_deliver_is_left_for_the_hub(
    bench: Bench, first: Bench, share: Any, trouble: str
) -> None:
    address = share.address
    if trouble == "gone":
        (first.folder / SHARDS[1]).unlink()
    elif trouble == "no ranges":
        share.ranges = False
    elif trouble == "truncated":
        (first.folder / SHARDS[1]).write_bytes(b"short")
    else:
        address = "http://127.0.0.1:9"
    bench.run(peers=peers_at(address))
    assert bench.model_files() == served_files(tiny_model())
    assert any(SHARDS[1] in path for path in bench.hub.bodies)


def test_a_peer_at_another_revision_lends_the_files_that_are_the_same(
    bench: Bench, first: Bench, share: Any
) -> None:
    newer = {**tiny_model(), "config.json": b'{"model_type": "qwen3", "seed": 77}'}
    bench.hub.publish(REPO, newer)
    bench.run(peers=peers_at(share.address))
    assert bench.model_files() == served_files(newer)
    assert [path.rpartition("/")[2] for path in bench.hub.bodies] == ["config.json"]


def test_the_first_peer_that_has_it_lends_it(bench: Bench, first: Bench, share: Any) -> None:
    result = bench.run(peers=peers_at("http://127.0.0.1:9", share.address))
    assert bench.hub.bodies == []
    assert result["peer_bytes"] > 10_000


def test_without_a_hub_the_record_of_the_peer_is_taken(
    bench: Bench, first: Bench, share: Any
) -> None:
    bench.hub.endpoint = "http://127.0.0.1:9"
    bench.run(peers=peers_at(share.address))
    assert bench.model_files() == served_files(tiny_model())
    assert bench.folder.joinpath(".closet.json").exists()


def test_without_a_hub_another_revision_is_not_taken(
    bench: Bench, first: Bench, share: Any
) -> None:
    bench.hub.endpoint = "http://127.0.0.1:9"
    want = {"repo": REPO, "name": "tiny", "revision": "v2"}
    with pytest.raises(ModelError, match="was not reached"):
        bench.run(want, peers=peers_at(share.address))


@pytest.mark.parametrize("address", ["attic", "ftp://attic", "http://me:pw@attic"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ModelError, match="a peer must be") as raised:
        peers_at(address)
    assert "pw" not in str(raised.value)

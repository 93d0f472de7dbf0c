# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer at a time: both transports, partial answers, Retry-After."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.manifest import (
    SHA256,
    FileEntry,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubTroubleError,
    read_rate_limit,
    read_retry_after,
    read_wait,
)
from ansible_collections.closet.inference.plugins.module_utils.models.run import make_tools
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Response,
    Transport,
    UrllibTransport,
)
from tests.unit.plugins.models.bench import REPO, SHARDS, Bench, arguments, tiny_model
from tests.unit.plugins.models.hub_double import Fault, HubDouble

TOKEN = "hf_secretsecretsecret"


@pytest.mark.parametrize(
    "endpoint",
    ["hub.local", "ftp://hub", "http://", "https://me:pw@hub", "http://hub?x=1", "http://hub/#x"],
)
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(ModelError, match="endpoint must be") as raised:
        make_tools(arguments(endpoint=endpoint), check_mode=False)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    "make", [lambda: HttpxTransport(2), UrllibTransport], ids=["httpx", "urllib"]
)
def test_both_transports_answer_questions(hub: HubDouble, make: Any) -> None:
    transport: Transport = make()
    commit = hub.publish(REPO, tiny_model())
    client = Hub(hub.endpoint + "/", None, transport, lambda _: None)
    assert client.resolve(REPO, "main") == commit
    assert len(client.tree(REPO, commit)) == len(tiny_model())
    with pytest.raises(ModelError, match="no revision"):
        client.resolve(REPO, "nope")
    client.close()


FRESH = """
import sys
from ansible_collections.closet.inference.plugins.module_utils.models import transport
transport.HttpxTransport(1).close()
import httpcore
print("rich" in sys.modules, httpcore.HTTP11Connection.READ_NUM_BYTES == transport.CHUNK_BYTES)
"""


def test_httpx_comes_without_its_command_line_and_reads_large_chunks() -> None:
    pytest.importorskip("rich")  # without it httpx leaves its command line out by itself
    told = subprocess.run(
        [sys.executable, "-c", FRESH],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.split() == ["False", "True"]


def test_urllib_keeps_the_token_at_its_origin(hub: HubDouble) -> None:
    model = tiny_model()
    commit = hub.publish(REPO, model)
    hub.token = TOKEN
    client = Hub(hub.endpoint, TOKEN, UrllibTransport(), lambda _: None)
    entry = next(entry for entry in client.tree(REPO, commit) if entry.path == SHARDS[0])
    body = client.open(REPO, commit, entry, 10, 20)
    assert b"".join(body.chunks()) == model[SHARDS[0]][10:20]
    body.close()
    storage = int(hub.storage.rpartition(":")[2])
    assert [header for port, header in hub.tokens if port == storage] == [None]


def test_no_httpx_stops_only_where_bytes_have_to_move(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.closet.inference.plugins.module_utils.models import run as run_module

    monkeypatch.setattr(run_module, "have_httpx", lambda: False)
    commit = hub.publish(REPO, tiny_model())
    made = make_tools(arguments(endpoint=hub.endpoint), check_mode=True)
    assert made.ask().resolve(REPO, "main") == commit
    with pytest.raises(ModelError, match="does not have it"):
        made.carry()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("-3", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, now=lambda: 10.0) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ('"api";r=0;t=187', 187.0),
        ("api;r=0;t=187", 187.0),
        (' "api" ; r=0 ; t=187 ', 187.0),
        ('"api";t=187;r=0;pk=:dXNlcg==:', 187.0),
        ('"burst";r=0;t=10, "day";r=5;t=3000', 10.0),
        ('"burst";r=0;t=10, "day";r=0;t=3000', 3000.0),
        ('"api";r=2;t=60', 60.0),
        ('"a, b;t=9";r=0;t=12', 12.0),
        ("limit=500, remaining=0, reset=42", 42.0),
        ("limit=500;w=300, remaining=0, reset=42", 42.0),
        ('"api";r=0;t=0', None),
        ('"api";r=0;t=-5', None),
        ('"api";r=0', None),
        ("", None),
        ('"api', None),
    ],
)
def test_a_rate_limit_tells_when_its_window_ends(value: str, seconds: float | None) -> None:
    assert read_rate_limit(value) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3", "ratelimit": '"api";r=0;t=187'}, 3.0),
        ({"retry-after": "soon", "ratelimit": '"api";r=0;t=187'}, 187.0),
        ({"ratelimit-reset": "42"}, 42.0),
        ({"ratelimit-reset": "tomorrow"}, None),
        ({}, None),
    ],
)
def test_which_header_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert read_wait(headers) == seconds


def test_a_cut_answer_is_trouble_that_passes(bench: Bench) -> None:
    bench.hub.publish(REPO, tiny_model())
    hub = Hub(bench.hub.endpoint, None, HttpxTransport(1), lambda _: None)
    commit = bench.hub.branches[(REPO, "main")]
    entry = next(entry for entry in hub.tree(REPO, commit) if entry.path == SHARDS[0])
    bench.hub.faults[SHARDS[0]] = [Fault("cut", 10)]
    body = hub.open(REPO, commit, entry, 0, entry.size)
    with pytest.raises(HubTroubleError, match="the connection was lost"):
        list(body.chunks())
    hub.close()


class OneReply:
    """A transport that gives one prepared answer."""

    def __init__(
        self, status: int, headers: Mapping[str, str], url: str = "http://hub/api"
    ) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.first_headers = headers
        self.closed = False

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        return self

    def chunks(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("endpoint", "url", "code", "own"),
    [
        ("http://hub", "http://hub/o/n", "", True),
        ("http://hub/below", "http://hub/elsewhere", "", True),
        ("http://hub:80", "http://HUB/o/n", "", True),
        ("http://hub", "https://hub/o/n", "", True),
        ("http://hub", "https://other/o/n", "RepoNotFound", True),
        ("http://hub", "http://hub:8082/o/n", "", False),
        ("http://hub:8080", "https://hub:8443/o/n", "", False),
        ("https://hub", "http://hub/o/n", "", False),
        ("https://hub", "https://cdn.hub/o/n", "", False),
    ],
)
@pytest.mark.parametrize("status", [401, 403, 404, 410, 416])
def test_who_answered_decides_what_a_refusal_means(
    endpoint: str, url: str, code: str, own: bool, status: int
) -> None:
    headers = {"x-error-code": code} if code else {}
    hub = Hub(endpoint, None, OneReply(status, headers, url), lambda _: None)
    kind = ModelError if own else HubTroubleError
    with pytest.raises(kind) as raised:
        hub.open(REPO, "c" * 40, FILE, 0, 3000)
    if not own:
        scheme, _, rest = url.partition("://")
        assert str(raised.value).startswith(f"{scheme}://{rest.partition('/')[0]}, to which ")
        assert f"answered {status} for model.safetensors" in str(raised.value)


FILE = FileEntry("model.safetensors", 3000, SHA256, "1" * 64)


@pytest.mark.parametrize(
    ("sent", "length", "span"),
    [
        ("bytes 100-199/3000", "100", (100, 200)),
        ("bytes 100-199/*", None, (100, 200)),
        ("bytes 100-149/3000", "50", (100, 150)),
        ("bytes 100-2999/3000", "2900", (100, 200)),
        ("bytes 99-199/3000", None, None),
        ("bytes 101-199/3000", None, None),
        ("bytes 100-99/3000", None, None),
        ("bytes 100-199/3001", None, None),
        ("bytes 100-199/3000", "99", None),
        ("bytes=100-199/3000", None, None),
        ("", None, None),
    ],
)
def test_a_partial_answer_has_to_be_the_one_asked_for(
    sent: str, length: str | None, span: tuple[int, int] | None
) -> None:
    headers = {"content-range": sent, **({"content-length": length} if length else {})}
    reply = OneReply(206, headers)
    hub = Hub("http://hub", None, reply, lambda _: None)
    if span:
        body = hub.open(REPO, "c" * 40, FILE, 100, 200)
        assert (body.start, body.end) == span
    else:
        with pytest.raises(HubTroubleError, match="the request was for bytes 100-199 of 3000"):
            hub.open(REPO, "c" * 40, FILE, 100, 200)
    assert reply.closed is (span is None)

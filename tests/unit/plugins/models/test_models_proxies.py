# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies: what is asked through them, and what is said of settings that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.proxies import (
    check_proxy,
    describe_unreadable,
    read_proxies,
    read_spared,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.run import run
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Transport,
    UrllibTransport,
)
from tests.unit.plugins.models.bench import REPO, arguments, tiny_model
from tests.unit.plugins.models.hub_double import HubDouble

PROXY = "http://proxy.lan:3128"
BOTH = pytest.mark.parametrize(
    "make", [lambda: HttpxTransport(2), UrllibTransport], ids=["httpx", "urllib"]
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("localhost,fd00::/8,10.0.0.0/8", "http://10.1.2.3:8080/x", True),
        ("localhost,fd00::/8,10.0.0.0/8", "http://[fd00::1]:8080/x", True),
        ("localhost,fd00::/8,10.0.0.0/8", "http://localhost/x", True),
        ("localhost,fd00::/8,10.0.0.0/8", "http://192.168.0.1/x", False),
        ("localhost,fd00::/8,10.0.0.0/8", "https://huggingface.co/x", False),
        ("10.0.0.5/8", "http://10.9.9.9/x", True),
        ("10.0.0.5", "http://10.0.0.6/x", False),
        ("fd00::1", "http://[fd00::1]/x", True),
        ("[fd00::1]", "http://[fd00::1]:99/x", True),
        ("[fd00::1]:99", "http://[fd00::1]:98/x", False),
        ("fe80::1%en0", "http://[fe80::1]/x", True),
        ("example.com", "https://hub.example.com/x", True),
        (".example.com", "https://hub.example.com/x", True),
        ("*.example.com", "https://hub.example.com/x", True),
        ("EXAMPLE.com.", "https://example.COM./x", True),
        ("example.com", "https://notexample.com/x", False),
        ("example.com:443", "https://example.com/x", True),
        ("example.com:443", "http://example.com/x", False),
        ("a  b,,c", "http://b/x", True),
        ("*", "https://huggingface.co/x", True),
        ("", "https://huggingface.co/x", False),
        ("10.0.0.0/8", "http://attic.local/x", False),
    ],
)
def test_what_goes_past_the_proxy(no_proxy: str, url: str, direct: bool) -> None:
    proxies = read_proxies({"http": PROXY, "https": PROXY, "no": no_proxy})
    assert proxies.proxy_for(url) == (None if direct else PROXY)
    assert proxies.unreadable == ()


@pytest.mark.parametrize(
    "word", ["fd00::/129", "10.0.0.0/33", "http://hub", "<local>", "a*b", "hub:http", "hub:70000"]
)
def test_an_entry_that_cannot_be_read_is_left_out_and_said(word: str) -> None:
    assert read_spared(word) is None
    proxies = read_proxies({"https": PROXY, "no": f"localhost,{word}"})
    said = describe_unreadable(proxies)
    assert said is not None and word in said and "localhost" not in said
    assert describe_unreadable(read_proxies({"no": word})) is None


@pytest.mark.parametrize(
    ("found", "proxy"),
    [
        ({"https": "proxy.lan:3128"}, "http://proxy.lan:3128"),
        ({"all": PROXY}, PROXY),
        ({"all": PROXY, "https": "http://other:1"}, "http://other:1"),
        ({"http": PROXY}, None),
        ({"https": ""}, None),
        ({"ftp": PROXY}, None),
    ],
)
def test_the_proxy_of_a_scheme(found: dict[str, str], proxy: str | None) -> None:
    assert read_proxies({**found, "no": ""}).proxy_for("https://huggingface.co/x") == proxy


@BOTH
def test_the_odd_environment_of_the_report(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost,fd00::/8,127.0.0.0/8")
    commit = hub.publish(REPO, tiny_model())
    transport: Transport = make()
    client = Hub(hub.endpoint, None, transport, lambda _: None)
    assert client.resolve(REPO, "main") == commit
    client.close()


@BOTH
def test_what_is_not_spared_is_asked_through_the_proxy(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    """The double stands for a proxy: it is asked for an address that is not its own."""
    monkeypatch.setenv("http_proxy", hub.endpoint)
    monkeypatch.setenv("no_proxy", "10.0.0.0/8")
    hub.prefix = "http://hub.example"
    commit = hub.publish(REPO, tiny_model())
    client = Hub("http://hub.example", None, make(), lambda _: None)
    assert client.resolve(REPO, "main") == commit
    client.close()


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("host:3128", "has no scheme: write it as http://host:3128."),
        ("proxy.lan", "has no scheme: write it as http://proxy.lan."),
        ("10.0.0.1:3128", "has no scheme: write it as http://10.0.0.1:3128."),
        ("me:secret@host:3128", "has no scheme: write it as http://host:port."),
        ("://host", "is not the address of a proxy"),
        ("ftp://host:21", "is not the address of a proxy"),
        ("http://", "is not the address of a proxy"),
        ("http://me:secret@host:99999", "is not the address of a proxy"),
        ("http://host:port", "is not the address of a proxy"),
    ],
)
def test_a_proxy_that_is_none_is_refused_as_what_it_is(
    proxy: str, words: str, tmp_path: Path
) -> None:
    want = {"repo": REPO, "revision": "main", "name": None}
    places = {"store": str(tmp_path / "store"), "serve_dir": str(tmp_path / "models")}
    with pytest.raises(ModelError) as raised:
        run(arguments(models=[want], proxy=proxy, **places), check_mode=False)
    assert words in str(raised.value) and "models_proxy" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("proxy", [PROXY, "https://me:pw@proxy.lan", "socks5h://[fd00::1]:1080"])
def test_a_good_proxy(proxy: str) -> None:
    check_proxy(proxy)


def test_a_run_says_which_entries_it_left_out(
    hub: HubDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "<local>,127.0.0.1")
    hub.publish(REPO, tiny_model())
    want = {"repo": REPO, "revision": "main", "name": None}
    places = {"store": str(tmp_path / "store"), "serve_dir": str(tmp_path / "models")}
    done = run(
        arguments(models=[want], endpoint=hub.endpoint, reserve_gb=0.0, **places),
        check_mode=False,
    )
    assert any("<local>" in warning for warning in done["warnings"])

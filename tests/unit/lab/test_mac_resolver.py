"""The double of mDNSResponder: which server is asked for which name, and what scutil changes."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lab.simulated_mac import LIBRARY, SimulatedMac

if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

mac: Any = importlib.import_module("mac")
resolver: Any = importlib.import_module("doubles.resolver")

KEY = "State:/Network/Service/FF457792-79C0-4A25-8392-D875BBEACCA6/DNS"
SET_DNS = f"""\
d.init
d.add SearchOrder # 100000
d.add ServerAddresses * 100.100.100.100
d.add SupplementalMatchDomains * ""
set {KEY}
quit
"""
REMOVE_DNS = f"remove {KEY}\nquit\n"


def question(name: str) -> bytes:
    """A query for an address, with recursion desired, and an additional record after it."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    head = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\1"
    return head + labels + b"\0\0\1\0\1" + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mac, "ROOT", str(tmp_path))
    (tmp_path / "etc/resolver").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def server() -> Iterator[int]:
    """A name server that answers everything with the word it was asked, and `yes`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            asked, sender = listening.recvfrom(512)
            listening.sendto(asked + b"yes", sender)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def test_a_name_is_read_as_it_was_asked() -> None:
    assert resolver.name_in(question("Attic.Tailnet.Test")) == "attic.tailnet.test"


def test_the_longest_domain_decides(root: Path) -> None:
    (root / "etc/resolver/test").write_text("nameserver 10.0.0.1\n")
    (root / "etc/resolver/tailnet.test").write_text(
        "# Added by tailscaled\nnameserver 100.100.100.100\nnameserver fd7a:115c:a1e0::53\n"
    )
    (root / "etc/resolver/search.tailscale").write_text("search tailnet.test\n")
    assert resolver.servers_for("attic.tailnet.test") == [("100.100.100.100", 53)]
    assert resolver.servers_for("other.test") == [("10.0.0.1", 53)]
    assert resolver.servers_for("nottailnet.test") == [("10.0.0.1", 53)]
    assert resolver.servers_for("example.org") == []
    assert resolver.servers_for("mytest") == []


def test_a_name_that_no_file_is_about_does_not_exist(root: Path) -> None:
    asked = question("example.org")
    answered = resolver.answer(asked)
    assert answered[:2] == asked[:2]
    assert answered[2] & 0x80
    assert answered[3] & 0x0F == 3
    assert answered[4:12] == b"\0\1\0\0\0\0\0\0"
    assert answered[12:] == asked[12:-11]


def test_the_server_of_a_domain_is_asked(root: Path, server: int) -> None:
    (root / "etc/resolver/test").write_text(f"nameserver 127.0.0.1\nport {server}\n")
    asked = question("a.test")
    assert resolver.answer(asked) == asked + b"yes"


def test_a_server_that_nobody_runs_is_a_failure_and_not_a_missing_name(root: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (root / "etc/resolver/test").write_text(f"nameserver 127.0.0.1\nport {port}\n")
    assert resolver.answer(question("a.test"))[3] & 0x0F == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="the store is root's")
def test_what_scutil_is_told_is_the_default_until_it_is_removed(
    studio: SimulatedMac, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mac, "ROOT", str(studio.root))
    assert studio.said("usr/sbin/scutil", text=REMOVE_DNS) == (0, "  No such key\n", "")
    assert studio.said("usr/sbin/scutil", text=SET_DNS) == (0, "", "")
    assert resolver.servers_for("example.org") == [("100.100.100.100", 53)]
    assert studio.said("usr/sbin/scutil", text=REMOVE_DNS) == (0, "", "")
    assert resolver.servers_for("example.org") == []

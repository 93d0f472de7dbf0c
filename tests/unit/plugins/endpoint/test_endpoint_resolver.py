"""Where a name leads on this machine, by the system's resolver."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.closet.inference.plugins.module_utils.endpoint.checks import Checks
from ansible_collections.closet.inference.plugins.module_utils.endpoint.model import Want
from ansible_collections.closet.inference.plugins.module_utils.endpoint.resolver import (
    WrongNameError,
    networks,
    proven,
)
from ansible_collections.closet.inference.plugins.module_utils.endpoint.wire import parse_base
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

TAILNET = networks(["100.64.0.0/10", "fd7a:115c:a1e0::/48"])


def resolver(*addresses: str) -> object:
    """A getaddrinfo that knows one name."""

    def answer(host: str, *_more: object, **_named: object) -> list[object]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "nodename nor servname provided")
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    return answer


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (("100.64.0.1",), "100.64.0.1"),
        (("100.64.0.1", "100.64.0.1", "fd7a:115c:a1e0::1"), "100.64.0.1, fd7a:115c:a1e0::1"),
    ],
)
def test_a_name_that_leads_into_the_tailnet(
    addresses: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*addresses))
    assert proven("attic.home.ts.net", TAILNET) == words


@pytest.mark.parametrize(
    ("addresses", "allowed", "sentence"),
    [
        ((), TAILNET, "the resolver of this machine does not know attic.home.ts.net: nodename"),
        # a resolver that answers every name with a page of its own, as in a hotel
        (("10.9.0.1",), TAILNET, "leads to 10.9.0.1 here, and should lead to 100.64.0.0/10"),
        (
            ("100.64.0.9",),
            networks(["100.64.0.1"]),
            "100.64.0.9 here, and should lead to 100.64.0.1",
        ),
        (("100.64.0.1", "10.9.0.1"), TAILNET, "leads to 10.9.0.1 here"),
    ],
)
def test_a_name_that_does_not(
    addresses: tuple[str, ...],
    allowed: tuple[object, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*addresses))
    with pytest.raises(WrongNameError, match=sentence.replace("(", r"\(")):
        proven("attic.home.ts.net", allowed)  # type: ignore[arg-type]


def test_the_checks_fail_at_the_name_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver("10.9.0.1"))
    base = parse_base("http://attic.home.ts.net:8000/v1")
    report = Checks(Want(base, resolves_to=TAILNET, timeout_s=0.1), Runner()).run()
    assert [(step.step, step.ok) for step in report.steps] == [("name", False)]
    assert "step 'name' failed" in (report.failure or "")

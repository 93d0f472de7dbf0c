# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub behind TLS whose authority is a company's own."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models import authority
from ansible_collections.closet.inference.plugins.module_utils.models.authority import (
    describe_certificate,
)
from ansible_collections.closet.inference.plugins.module_utils.models.hub import Hub
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from ansible_collections.closet.inference.plugins.module_utils.models.retry import (
    HubUnreachableError,
)
from ansible_collections.closet.inference.plugins.module_utils.models.run import run
from ansible_collections.closet.inference.plugins.module_utils.models.transport import (
    HttpxTransport,
    Transport,
    UrllibTransport,
)
from tests.unit.plugins.models.bench import REPO, arguments, tiny_model
from tests.unit.plugins.models.hub_double import HubDouble, running_hub

BOTH = pytest.mark.parametrize(
    "make",
    [lambda pem: HttpxTransport(2, authority=pem), lambda pem: UrllibTransport(authority=pem)],
    ids=["httpx", "urllib"],
)


def openssl(*words: str, folder: Path) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, an authority of nobody's list, and hub.pem, key and certificate that it signed."""
    folder = tmp_path_factory.mktemp("keys")
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(
        *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ACME", folder=folder
    )
    openssl(*new, "-keyout", "hub.key", "-out", "hub.csr", "-subj", "/CN=hub", folder=folder)
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    sign = ["x509", "-req", "-in", "hub.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
    openssl(*sign, "-CAcreateserial", "-extfile", "san", "-out", "hub.crt", folder=folder)
    (folder / "hub.pem").write_text(
        (folder / "hub.key").read_text() + (folder / "hub.crt").read_text()
    )
    return folder


@pytest.fixture
def hub(keys: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_hub(keys / "hub.pem") as double:
        double.publish(REPO, tiny_model())
        yield double


@BOTH
def test_an_unknown_authority_is_not_waited_for_and_the_way_out_is_named(
    hub: HubDouble, make: Any
) -> None:
    slept: list[float] = []
    transport: Transport = make(None)
    with pytest.raises(HubUnreachableError) as raised:
        Hub(hub.endpoint, None, transport, slept.append).resolve(REPO, "main")
    text = str(raised.value)
    assert text.startswith(f"{hub.endpoint} was not reached: the certificate of 127.0.0.1 is not")
    assert "set models_ca_bundle to its PEM file" in text
    assert slept == []


@BOTH
def test_the_companys_authority_is_trusted_besides_the_public_ones(
    hub: HubDouble, keys: Path, make: Any
) -> None:
    transport: Transport = make((keys / "ca.pem").read_text())
    commit = hub.branches[(REPO, "main")]
    client = Hub(hub.endpoint, None, transport, lambda _: None)
    assert client.resolve(REPO, "main") == commit
    assert len(client.tree(REPO, commit)) == len(tiny_model())
    client.close()


def test_a_whole_pull_with_the_option(hub: HubDouble, keys: Path, tmp_path: Path) -> None:
    want = {"repo": REPO, "revision": "main", "name": None}
    given = arguments(
        models=[want],
        endpoint=hub.endpoint,
        reserve_gb=0.0,
        store=str(tmp_path / "store"),
        serve_dir=str(tmp_path / "models"),
        ca_certificates=(keys / "ca.pem").read_text(),
    )
    assert run(given, check_mode=False)["models"][0]["state"] == "pulled"


def test_what_names_no_authority_is_refused_by_the_module(tmp_path: Path) -> None:
    given = arguments(
        models=[], store=str(tmp_path / "a"), serve_dir=str(tmp_path / "b"), ca_certificates="x"
    )
    with pytest.raises(ModelError, match=r"ca_certificates \(models_ca_bundle\) is not usable: it"):
        run(given, check_mode=False)


EMPTY = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it has no certificate in PEM"),
        ("\x30\x82", "it has no certificate in PEM"),
        (EMPTY, "its certificate cannot be read"),
        (f"-----BEGIN PRIVATE KEY-----\n{EMPTY}", "it contains a private key"),
    ],
)
def test_a_bundle_that_is_none_is_refused_before_the_run(
    tmp_path: Path, text: str, words: str
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(text)
    told = authority.objection("attic", str(bundle))
    assert told is not None
    assert told.startswith(f"models_ca_bundle of attic is {bundle}, on this controller, and ")
    assert words in told


def test_a_bundle_that_is_not_there_or_has_no_place(tmp_path: Path, keys: Path) -> None:
    missing = authority.objection("attic", str(tmp_path / "none.pem"))
    assert missing is not None and "it cannot be read: No such file" in missing
    relative = authority.objection("attic", "ca.pem")
    assert relative is not None and "not an absolute path" in relative
    assert authority.objection("attic", str(keys / "ca.pem")) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (18, "models_ca_bundle"),
        (19, "models_ca_bundle"),
        (20, "models_ca_bundle"),
        (9, "clock of this host"),
        (10, "clock of this host"),
        (62, "Another server may have answered"),
    ],
)
def test_what_is_advised_follows_from_what_is_wrong(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = code, "why."
    said = describe_certificate(error, "hub.example")
    assert said.startswith("the certificate of hub.example is not trusted (why). ")
    assert words in said

"""The tailnet's parts: what the inventory says, what is built, whom a Mac trusts, where it is."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lab import certificates, control, network, state
from lab.disk import hosts_file
from lab.inventory import InventoryError, Lan, Mac, read
from lab.parts import gobuild
from lab.parts.cache import PartsError
from lab.parts.gobuild import Edit, edited, version_of
from lab.paths import INVENTORY
from lab.roaming import rehosted
from tests.unit.lab.hub_bench import Lab

AIR = Mac("air", "10.77.31.21", {})
LAN = Lan(
    network=IPv4Network("10.77.31.0/24"),
    controller="10.77.31.1",
    hub="10.77.31.2",
    macs=(Mac("attic", "10.77.31.10", {}), AIR),
    control="10.77.31.3",
    away=IPv4Network("10.77.32.0/24"),
)


# --- the inventory -------------------------------------------------------------------------------


def write_inventory(folder: Path, **variables: str) -> Path:
    known = {"lab_network": "10.77.31.0/24", "lab_hub": "10.77.31.2", **variables}
    mac = {"model": "Mac16,12", "macos": "26.5.1", "memory_gb": 16}
    hosts = {"air": {"ansible_host": "10.77.31.21", "lab_mac": mac}}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"vars": known, "hosts": hosts}}))
    return folder


def test_the_labs_own_inventory_has_a_control_server_and_somewhere_to_go() -> None:
    lan = read(INVENTORY)
    assert lan.control == "10.77.31.3"
    assert lan.names["control"] == "10.77.31.3"
    assert lan.away_address("air") == "10.77.32.21"
    assert lan.away_gateway == "10.77.32.1"


def test_an_inventory_without_them_is_one_without_a_tailnet(tmp_path: Path) -> None:
    lan = read(write_inventory(tmp_path))
    assert (lan.control, lan.away) == (None, None)
    assert "control" not in lan.names
    assert "control" not in hosts_file(lan)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"lab_control": "10.77.31.3"}, "lab_control is alone"),
        ({"lab_away": "10.77.32.0/24"}, "lab_away is alone"),
        ({"lab_control": "10.9.9.9", "lab_away": "10.77.32.0/24"}, "is not inside"),
        ({"lab_control": "10.77.31.3", "lab_away": "10.77.32.0/25"}, "as large as"),
        ({"lab_control": "10.77.31.3", "lab_away": "10.77.31.0/24"}, "and elsewhere"),
        ({"lab_control": "10.77.31.2", "lab_away": "10.77.32.0/24"}, "address of the hub"),
        ({"lab_control": "10.77.31.21", "lab_away": "10.77.32.0/24"}, "of the control server"),
        ({"lab_control": "here", "lab_away": "10.77.32.0/24"}, "'here'"),
    ],
)
def test_what_cannot_be_is_refused(
    variables: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InventoryError, match=re.escape(sentence)):
        read(write_inventory(tmp_path, **variables))


# --- at home and away ----------------------------------------------------------------------------


def test_away_there_is_one_way_and_at_home_what_is_meant_for_elsewhere_stays_in_the_lab() -> None:
    assert network._addressed(LAN, "air", away=True) == [
        "addr add 10.77.32.21/24 dev en0",
        "route add default via 10.77.32.1",
    ]
    assert network._addressed(LAN, "air", away=False) == [
        "addr add 10.77.31.21/24 dev en0",
        "route add default via 10.77.31.1",
        "route add 10.77.32.0/24 via 10.77.31.3",
    ]
    server = network._configure(LAN, "control", away=False)
    assert "addr add 10.77.31.3/24 dev en0" in server
    assert "addr add 10.77.32.1/24 dev en1" in server
    assert not any("route" in line for line in server)


def test_a_mac_that_is_away_knows_itself_and_the_control_server_alone() -> None:
    names = {word for line in hosts_file(LAN, "air").splitlines() for word in line.split()[1:]}
    assert names == {
        *("localhost", "broadcasthost", "air.local", "air"),
        *(control.NAME, control.IMPOSTOR),
    }
    assert "10.77.32.21\tair.local air" in hosts_file(LAN, "air")


def test_what_an_owner_added_to_the_host_file_survives_both_ways() -> None:
    before = hosts_file(LAN) + "192.0.2.1\tprinter\n"
    away = rehosted(before, LAN, "air", away=True)
    assert "attic" not in away
    assert "printer" in away
    assert rehosted(away, LAN, "air", away=False) == before
    assert rehosted(away, LAN, "air", away=True) == away


def test_a_lab_that_an_older_checkout_brought_up_has_nobody_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old: dict[str, object] = {
        "checkout": "/c",
        "inventory": "/i",
        "layer": "/l",
        "machines": {},
        "hub": None,
    }
    (tmp_path / "lab.json").write_text(json.dumps(old))
    monkeypatch.setattr(state, "FILE", tmp_path / "lab.json")
    running = state.load()
    assert running is not None
    assert (running.away, running.control) == ((), None)


# --- the control server --------------------------------------------------------------------------


def test_the_control_server_asks_nobody_outside() -> None:
    said = control.settings("10.77.31.3", Path("/f"))
    assert said["derp"]["urls"] == []
    assert said["disable_check_updates"] is True
    assert said["logtail"]["enabled"] is False
    assert said["dns"]["nameservers"] == {"global": []}
    assert said["server_url"] == "https://control.test"


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_certificate_is_good_for_its_names_and_its_authority_alone(tmp_path: Path) -> None:
    for authority in ("ca", "stranger"):
        certificates.make(tmp_path, ["control.test"], "10.77.31.3", authority)
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    trust = PolicyBuilder().store(Store([certificate(tmp_path / "ca.pem")]))
    asked = trust.build_server_verifier(x509.DNSName("control.test"))
    assert asked.verify(certificate(tmp_path / "ca.crt"), [])
    with pytest.raises(VerificationError):
        asked.verify(certificate(tmp_path / "stranger.crt"), [])
    with pytest.raises(VerificationError):
        other = trust.build_server_verifier(x509.DNSName("impostor.test"))
        other.verify(certificate(tmp_path / "ca.crt"), [])


def test_a_mac_trusts_what_this_machine_trusts_and_the_labs_authority(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("lab\n")
    (tmp_path / "bundle").write_text("world\n")
    assert certificates.trusted(tmp_path / "ca.pem", tmp_path / "bundle") == "world\nlab\n"
    assert certificates.trusted(tmp_path / "ca.pem", tmp_path / "missing") == "lab\n"


# --- the programs --------------------------------------------------------------------------------


def test_every_module_has_its_hash() -> None:
    sums = (gobuild.HERE / "go.sum").read_text()
    pins = gobuild.pinned()
    for module in (gobuild.TAILSCALE, gobuild.HEADSCALE):
        assert f"{module} v{pins[module]} h1:" in sums


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64\n", (1, 26, 8)),
        ("go version go1.19.8 linux/amd64\n", (1, 19, 8)),
        ("1.26.6", (1, 26, 6)),
        ("go: go.mod requires go", ()),
    ],
)
def test_versions_of_go(said: str, version: tuple[int, ...]) -> None:
    assert version_of(said) == version


def stand_in(folder: Path, says: str, code: int = 0) -> dict[str, str]:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_without_go_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gobuild, "GO_HOME", str(tmp_path))
    said = gobuild.why_not({"PATH": str(tmp_path)})
    assert "is not installed" in said
    assert "everything else works" in said
    assert "\n" not in said


@pytest.mark.parametrize("code", [0, 1])
def test_a_go_that_is_too_old_is_named(tmp_path: Path, code: int) -> None:
    said = gobuild.why_not(stand_in(tmp_path, "go version go1.19.8 linux/amd64", code))
    assert f"{tmp_path}/go is too old" in said
    assert "1.19.8" in said


def test_with_a_go_that_suffices_it_says_what_to_run(tmp_path: Path) -> None:
    said = gobuild.why_not(stand_in(tmp_path, "go version go1.99.0 linux/amd64"))
    assert "`lab build`" in said


def test_an_edit_that_no_longer_fits_is_an_error() -> None:
    edit = Edit("a.go", "one", "two")
    assert edited("one three", (edit,)) == "two three"
    for text in ("three", "one one"):
        with pytest.raises(PartsError, match=r"a\.go of tailscale\.com has changed"):
            edited(text, (edit,))


def test_the_archive_has_the_shape_of_homebrews_and_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"tailnet-{gobuild.key()}"
    folder.mkdir()
    for name in ("tailscale", "tailscaled"):
        (folder / name).write_text(f"the {name}")
    assert gobuild.archive_of(tmp_path, "1.2.3") is None
    (folder / gobuild.INDEX_NAME).write_text(json.dumps(gobuild.pack(folder, "1.2.3")))
    found = gobuild.archive_of(tmp_path, "1.2.3")
    assert found is not None
    with tarfile.open(found[0]) as archive:
        members = {member.name: member.mode for member in archive}
    assert members == {
        "tailscale/1.2.3/bin/tailscale": 0o755,
        "tailscale/1.2.3/bin/tailscaled": 0o755,
    }
    assert re.fullmatch("[0-9a-f]{64}", found[1])
    assert gobuild.archive_of(tmp_path, "1.2.4") is None


def test_a_mac_gets_the_archive_and_its_digest_from_the_hub(lab: Lab) -> None:
    assert lab.packages("/tailscale/1.2.3/tailscale.tgz").status == 404
    folder = lab.cache / f"tailnet-{gobuild.key()}"
    folder.mkdir()
    for name in ("tailscale", "tailscaled"):
        (folder / name).write_text(f"the {name}")
    index = gobuild.pack(folder, "1.2.3")
    (folder / gobuild.INDEX_NAME).write_text(json.dumps(index))
    archive = lab.packages("/tailscale/1.2.3/tailscale.tgz").body
    digest = hashlib.sha256(archive).hexdigest()
    listed = lab.packages("/tailscale/1.2.3/sha256sum.txt").body.decode()
    assert listed == f"{digest}  ./tailscale.tgz\n"
    assert lab.packages("/tailscale/1.2.4/tailscale.tgz").status == 404
    assert lab.packages("/tailscale/1.2.3/../1.2.3/tailscaled").status == 404

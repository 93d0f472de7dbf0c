"""The lab's tailnet and its other network: raw tailscaled, headscale, and a laptop that leaves."""

from __future__ import annotations

import json
import plistlib
import time
from typing import Any

import pytest

from lab.parts.gobuild import TAILSCALE, pinned
from tests.lab.conftest import Done, as_root, lab, on

pytestmark = pytest.mark.usefixtures("needs_tailnet", "bare_lab")

MACS = ("attic", "air")
VERSION = pinned()[TAILSCALE]
RELEASE = f"http://hub.local:8081/tailscale/{VERSION}"
DAEMONS = "/Library/LaunchDaemons"
#: what the closet serves in this test, on every address
PORT = 8000
BY_NAME = f"http://attic.tailnet.test:{PORT}/"
OVER_LAN = f"http://10.77.31.10:{PORT}/"


def control(*words: str) -> Any:
    """What headscale's command line answers, as JSON."""
    return json.loads(lab("control", *words, "-o", "json").output)


def key(*words: str) -> str:
    """A new key for logging in; reusable, since `up` can spend one on an answer it dropped."""
    return str(control("preauthkeys", "create", "--user", "1", "--reusable", *words)["key"])


def nodes() -> dict[str, dict[str, Any]]:
    """What the control server knows, by name."""
    return {node["given_name"]: node for node in control("nodes", "list")}


def daemon(host: str, label: str, *words: str) -> None:
    """Let a Mac's launchd keep a program running, as root."""
    job = {"Label": label, "ProgramArguments": words, "RunAtLoad": True, "KeepAlive": True}
    job |= dict.fromkeys(("StandardOutPath", "StandardErrorPath"), f"/var/log/{label}.log")
    path = f"{DAEMONS}/{label}.plist"
    as_root(host, f"cat >{path} <<'EOF'\n{plistlib.dumps(job).decode()}\nEOF")
    as_root(host, f"launchctl bootstrap system {path}")


def tailscale(host: str, words: str, limit_s: float = 90) -> Done:
    """Run the command line of Tailscale on a Mac."""
    return on(host, f"sudo /usr/local/bin/tailscale {words}", limit_s)


def log_in(host: str) -> None:
    """Log a Mac in with a key of its own."""
    words = f"--login-server https://control.test --auth-key {key()} --timeout 60s"
    done = tailscale(host, f"up {words}")
    assert done.code == 0, done.output + on(host, "sudo tail -40 /var/log/tailscaled.log").output


def fetched(url: str) -> bool:
    """Whether the laptop gets the page, through the system's resolver."""
    return on("air", f"curl -fsS --max-time 3 -o /dev/null {url}").code == 0


def until(what: str, limit_s: float = 90) -> None:
    """Wait until the laptop gets a page; otherwise show what its tailscaled thinks."""
    deadline = time.monotonic() + limit_s
    while not fetched(what):
        if time.monotonic() > deadline:
            print(tailscale("air", "status").output)
            print(on("air", "sudo tail -40 /var/log/tailscaled.log; ls /etc/resolver").output)
            raise AssertionError(f"{what} did not answer within {limit_s} s")


def address_of(name: str) -> str:
    """What Python's getaddrinfo says on the laptop; empty for nothing."""
    ask = f"import socket; print(socket.getaddrinfo('{name}', 1, socket.AF_INET)[0][4][0])"
    done = on("air", f'/usr/bin/python3 -c "{ask}"')
    return done.output.strip() if done.code == 0 else ""


def peer() -> dict[str, Any]:
    """What the laptop's tailscaled knows of the closet."""
    status = json.loads(tailscale("air", "status --json").output)
    return next(each for each in status["Peer"].values() if each["HostName"] == "attic")


@pytest.fixture(scope="module", autouse=True)
def tailnet(needs_tailnet: None, bare_lab: None) -> None:
    """Two Macs with tailscaled, installed from the hub and logged in; the closet serves a page."""
    for host in MACS:
        as_root(
            host,
            f"cd /tmp && curl -fsSO {RELEASE}/tailscale.tgz && curl -fsS {RELEASE}/sha256sum.txt"
            " | sha256sum -c && mkdir -p /usr/local/bin && tar xzf tailscale.tgz"
            f" && cp tailscale/{VERSION}/bin/* /usr/local/bin/ && rm -r tailscale*",
        )
        daemon(host, "tailscaled", "/usr/local/bin/tailscaled", "--no-logs-no-support")
        log_in(host)
    serve = ("/usr/bin/python3", "-m", "http.server", str(PORT), "--bind", "0.0.0.0")
    daemon("attic", "page", *serve, "--directory", "/var/empty")
    until(OVER_LAN)


def test_the_tailnets_names_resolve_as_long_as_tailscaled_takes_dns() -> None:
    until(BY_NAME)
    address = address_of("attic.tailnet.test")
    assert address.startswith("100.64.0.")
    asked = "dscacheutil -q host -a name attic.tailnet.test"
    assert f"ip_address: {address}" in on("air", asked).output
    assert on("air", "cat /etc/resolver/tailnet.test").output.splitlines()[:2] == [
        "# Added by tailscaled",
        "nameserver 100.100.100.100",
    ]
    assert tailscale("air", "set --accept-dns=false").code == 0
    assert address_of("attic.tailnet.test") == ""
    assert not fetched(BY_NAME)
    assert tailscale("air", "set --accept-dns=true").code == 0
    until(BY_NAME)


def test_a_macs_tailscaled_keeps_its_things_where_a_mac_has_them() -> None:
    assert on("air", "sudo ls /Library/Tailscale").output.split() != []
    assert on("air", "test -S /var/run/tailscaled.socket").code == 0
    assert "utun4" in on("air", "ifconfig").output


def test_at_home_two_macs_talk_directly() -> None:
    assert tailscale("air", "ping --until-direct -c 20 attic").code == 0
    assert peer()["CurAddr"].startswith("10.77.31.10:")


def test_away_the_lan_is_closed_and_the_tailnet_reaches() -> None:
    lab("roam", "air")
    assert "away" in lab("status").output
    assert not fetched(OVER_LAN)
    assert address_of("attic.local") == ""
    until(BY_NAME)
    assert peer()["CurAddr"] == ""
    assert peer()["Relay"] == "lab"


def test_away_a_power_cut_and_a_reboot_change_nothing() -> None:
    lab("power-cut", "air")
    until(BY_NAME)
    lab("reboot", "air")
    until(BY_NAME)
    assert not fetched(OVER_LAN)


def test_without_the_control_server_nodes_that_are_in_go_on_at_home() -> None:
    lab("home", "air")
    assert address_of("attic.local") == "10.77.31.10"
    assert fetched(OVER_LAN)
    assert tailscale("air", "ping --until-direct -c 20 attic").code == 0
    lab("control", "stop")
    until(BY_NAME)
    lab("control", "start")
    until(BY_NAME)


def test_a_server_with_a_wrong_certificate_is_not_believed() -> None:
    again = f"up --force-reauth --reset --timeout 8s --auth-key {key()} --login-server"
    done = tailscale("air", f"{again} https://impostor.test")
    assert done.code != 0
    said = on("air", "sudo tail -60 /var/log/tailscaled.log").output
    assert "not impostor.test" in said
    assert tailscale("air", f"{again.replace('8s', '60s')} https://control.test").code == 0
    until(BY_NAME)


def test_a_certificate_that_no_mac_trusts_can_be_had() -> None:
    ask = "curl -sS -o /dev/null https://control.test/health"
    lab("control", "start", "--untrusted")
    assert on("air", ask).code == 60
    lab("control", "start")
    assert on("air", ask).code == 0
    until(BY_NAME)


def test_a_node_that_the_tailnet_forgot_gets_nothing() -> None:
    for name, node in nodes().items():
        if name.startswith("air"):
            lab("control", "nodes", "delete", "--identifier", str(node["id"]), "--force")
    deadline = time.monotonic() + 90
    while fetched(BY_NAME):
        assert time.monotonic() < deadline, tailscale("air", "status").output
    log_in("air")
    until(BY_NAME)

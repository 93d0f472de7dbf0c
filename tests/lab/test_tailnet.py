"""The house in a tailnet: one URL at home and away, a closet on loopback, a policy, what is lost.

The control server is a real headscale, the machines run real tailscaled.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.advice import command, paste
from tests.lab.conftest import (
    ENVIRONMENT,
    ROOT,
    Done,
    lab,
    on,
    provisioned,
    run,
    site,
)
from tests.lab.test_site import disk

pytestmark = pytest.mark.usefixtures("needs_tailnet", "bare_lab")

# a third laptop would show nothing more, and take a fifth of the time
CLIENTS = ("air", "book")
HOSTS = ("attic", *CLIENTS)
DOMAIN = "tailnet.test"
CONTROL = "https://control.test"
# the controller is no machine of the tailnet and does not know the control server's name
CONTROL_HERE = "https://10.77.31.3"
CONTROL_CA = "/var/lib/closet-lab/control/ca.pem"
URL = f"http://attic.{DOMAIN}:8000/v1"
SERVED = "qwen3-coder-next"
TAGS = {"closet": "tag:closet", "clients": "tag:closet-client"}
OPEN: dict[str, object] = {}
EXPECTED_TAGS = {"attic": [TAGS["closet"]], **{laptop: [TAGS["clients"]] for laptop in CLIENTS}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's inventory with a tailnet, its closet on loopback, and no auth key."""
    base = tmp_path_factory.mktemp("tailnet")
    # its group_vars name files of the checkout relative to the inventory
    (base / "lab").symlink_to(ROOT / "lab")
    copy = base / "inventories" / "home"
    ignored = shutil.ignore_patterns(".secrets", ".closet")
    shutil.copytree(ROOT / "inventories/lab", copy, ignore=ignored)
    hosts = yaml.safe_load((copy / "hosts.yml").read_text())
    hosts["all"]["vars"].update(closet_tailnet=DOMAIN, closet_tailnet_server=CONTROL)
    del hosts["all"]["children"]["clients"]["hosts"]["pro"]
    (copy / "hosts.yml").write_text(yaml.safe_dump(hosts))
    closet = copy / "group_vars/closet.yml"
    closet.write_text(
        closet.read_text().replace("closet_exposure: lan", "closet_exposure: loopback")
    )
    return copy


def words(done: Done) -> str:
    return " ".join(done.output.split())


def control(*argv: str) -> str:
    return lab("control", *argv).output


def known() -> dict[str, dict[str, Any]]:
    """The machines that the control server knows, by name."""
    listed = json.loads(control("nodes", "list", "-o", "json")) or []
    return {node["given_name"]: node for node in listed}


def given_tags() -> dict[str, list[str]]:
    return {name: node["tags"] for name, node in known().items()}


def state(host: str) -> str:
    """What a machine's tailscaled says of itself; empty while it does not answer."""
    done = on(host, "sudo tailscale status --json --peers=false")
    return str(json.loads(done.output)["BackendState"]) if done.code == 0 else ""


def make_keys(home: Path) -> list[str]:
    """An auth key for each group, where the inventory's owner puts it."""
    (home / ".secrets").mkdir(mode=0o700, exist_ok=True)
    keys = []
    for group, tag in TAGS.items():
        made = control(
            *("preauthkeys", "create", "--reusable", "--expiration", "1h"),
            *("--tags", tag, "-o", "json"),
        )
        keys.append(json.loads(made)["key"])
        file = home / f".secrets/tailnet-{group}.authkey"
        file.write_text(f"{keys[-1]}\n")
        file.chmod(0o600)
    return keys


def take_keys_away(home: Path) -> None:
    for file in (home / ".secrets").glob("*.authkey"):
        file.unlink()


def status(laptop: str, url: str = URL, limit_s: int = 5) -> str:
    """What /v1 answers to a laptop's own key; 000 when nobody does."""
    ask = (
        f"curl -s -m {limit_s} -o /dev/null -w '%{{http_code}}' "
        f'-H "Authorization: Bearer $(cat ~/.config/closet/key)" {url}/models'
    )
    return on(laptop, ask).output.strip()[-3:]


def knock(laptop: str, host: str, port: int) -> bool:
    """Whether a connection from a laptop to a port is taken."""
    code = f"import socket; socket.create_connection(('{host}', {port}), 4).close()"
    return on(laptop, f'python3 -c "{code}"').code == 0


def in_time(seen: Callable[[], object], expected: object, limit_s: float = 60) -> None:
    """Wait until something is seen; the last thing that was seen is in the failure."""
    deadline = time.monotonic() + limit_s
    while (now := seen()) != expected:
        assert time.monotonic() < deadline, f"{now!r} after {limit_s} s, not {expected!r}"
        time.sleep(0.5)


def asks(laptop: str) -> str:
    """What opencode answers on a laptop."""
    done = on(laptop, "timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert done.code == 0, done.output
    return done.output


def policy(home: Path, *argv: str) -> Done:
    """Run playbooks/tailnet.yml with a way to the control server from here."""
    playbook = ("ansible-playbook", "-i", str(home), "playbooks/tailnet.yml")
    return run(*playbook, "-e", f"closet_tailnet_server={CONTROL_HERE}", *argv)


@pytest.fixture(scope="module", autouse=True)
def trusts_the_control_server() -> Iterator[None]:
    """The controller trusts the lab's certificate, as an owner's trusts a public one."""
    ENVIRONMENT["SSL_CERT_FILE"] = CONTROL_CA
    yield
    del ENVIRONMENT["SSL_CERT_FILE"]


def test_without_a_key_nothing_is_changed_and_each_machine_is_named(home: Path) -> None:
    before = {host: disk(host) for host in HOSTS}
    done = site("-i", str(home))
    assert done.code != 0
    for host in HOSTS:
        assert f"{host} is not logged in to the tailnet {DOMAIN}, and there is no" in words(done)
    assert f"{home}/.secrets/tailnet-clients.authkey" in words(done)
    assert {host: disk(host) for host in HOSTS} == before


def test_a_policy_that_no_machine_can_test_yet_leads_to_the_first_run_and_has_its_tests_then(
    home: Path, tmp_path: Path
) -> None:
    keys = make_keys(home)
    key = home / ".secrets/tailnet.apikey"
    key.touch(mode=0o600)
    key.write_text(control("apikeys", "create", "--expiration", "1h").strip().splitlines()[-1])
    early = policy(home)
    assert early.code == 0, early.output
    assert f"{CONTROL_HERE} has the policy without its tests" in words(early)
    done = provisioned(paste(f"{command(early.output, 'site.yml')} -vvv --diff"))
    assert [key for key in keys if key in done.output] == [], "in the output of a verbose run"
    assert given_tags() == EXPECTED_TAGS
    assert f"{CONTROL_HERE} has the policy with its tests" in words(policy(home))

    # as it was, for what comes without a policy
    (tmp_path / "open.json").write_text(json.dumps(OPEN))
    control("policy", "set", "-f", str(tmp_path / "open.json"))


def test_the_second_run_needs_no_key_and_no_control_server_and_changes_nothing(home: Path) -> None:
    take_keys_away(home)
    control("stop")
    try:
        assert status("air") == "200"
        done = provisioned(site("-i", str(home)))
    finally:
        control("start")
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)


def test_the_lan_finds_a_closed_port_and_the_tailnet_an_open_one() -> None:
    listening = on("attic", "sudo lsof -nP -iTCP:8000 -sTCP:LISTEN").output
    assert "127.0.0.1:8000" in listening
    for laptop in CLIENTS:
        assert status(laptop, "http://10.77.31.10:8000/v1") == "000"
        assert status(laptop) == "200"


def test_everything_that_is_rendered_has_the_one_url() -> None:
    for laptop in CLIENTS:
        assert on(laptop, "echo $CLOSET_URL").output.strip() == URL
        config = on(laptop, "timeout 60 opencode debug config", limit_s=90).output
        assert re.findall(r'"baseURL": "([^"]+)"', config) == [URL]


@pytest.mark.parametrize("laptop", CLIENTS)
def test_each_laptop_answers_at_home(laptop: str) -> None:
    assert SERVED in asks(laptop)


def test_without_a_policy_a_laptop_reaches_more_than_the_port() -> None:
    in_time(lambda: knock("air", f"attic.{DOMAIN}", 22), True)


def test_the_control_server_takes_the_policy_with_its_tests(home: Path) -> None:
    key = home / ".secrets/tailnet.apikey"
    done = policy(home, "--check", "--diff")
    assert done.code == 0, done.output
    assert "would accept the policy with its tests" in words(done)
    assert knock("air", f"attic.{DOMAIN}", 22), "a check has given it the policy"

    done = policy(home, "--diff", "-vvv")
    assert done.code == 0, done.output
    assert f"{CONTROL_HERE} has the policy with its tests" in words(done)
    assert key.read_text() not in done.output
    assert "changed=0" in words(policy(home))
    assert "Policy is valid" in control(
        "policy", "check", "-f", str(home / ".closet/tailnet-policy.hujson")
    )


def test_the_policy_leaves_the_port_and_nothing_else() -> None:
    in_time(lambda: knock("air", f"attic.{DOMAIN}", 22), False)
    assert not knock("air", f"book.{DOMAIN}", 22)
    assert not knock("attic", f"air.{DOMAIN}", 22)
    assert [status(laptop) for laptop in CLIENTS] == ["200"] * 2


def test_a_policy_that_gives_more_is_refused_by_its_own_tests(home: Path) -> None:
    more = {"grants": [{"src": [TAGS["clients"]], "dst": [TAGS["closet"]], "ip": ["tcp:22"]}]}
    done = policy(home, "-e", json.dumps({"closet_tailnet_policy": more}))
    assert done.code != 0
    assert f"{TAGS['clients']} -> {TAGS['closet']}:22 (tcp): expected DENIED" in words(done)
    assert not knock("air", f"attic.{DOMAIN}", 22)
    assert policy(home).code == 0


def test_a_laptop_away_answers_through_the_tailnet_only() -> None:
    lab("roam", "air")
    try:
        in_time(lambda: status("air"), "200")
        assert not knock("air", "10.77.31.10", 22), "the LAN can be reached from away"
        assert SERVED in asks("air")
    finally:
        lab("home", "air")
    in_time(lambda: status("air"), "200")


def test_a_key_that_was_taken_away_opens_nothing_through_the_tailnet(home: Path) -> None:
    # the closet takes the key from air, which does not hear of it
    provisioned(site("-i", str(home), "--limit", "attic", "-e", "rotate=air"))
    assert (status("air"), status("book")) == ("401", "200")


def test_a_machine_that_was_removed_reaches_nothing_and_a_run_says_so(home: Path) -> None:
    control("nodes", "delete", "-i", str(known()["book"]["id"]), "--force")
    in_time(lambda: status("book"), "000")
    assert status("air") == "401", "another one lost its way too"
    # the others forget it at once; it hears of it itself when it has to ask the server anew
    on("book", "sudo launchctl kickstart -k system/inference.closet.tailscaled")
    in_time(lambda: state("book"), "NeedsLogin")
    done = site("-i", str(home))
    assert done.code != 0
    assert f"book is not logged in to the tailnet {DOMAIN}" in words(done)


def test_a_name_that_the_resolver_does_not_know_is_said(home: Path) -> None:
    on("air", "sudo tailscale set --accept-dns=false")
    in_time(lambda: status("air"), "000")
    asked = run(
        *("ansible", "-i", str(home), "air", "-m", "closet.inference.inference_endpoint"),
        *("-a", f"url={URL} resolves_to=100.64.0.0/10 timeout_s=1"),
    )
    assert "step 'name' failed" in words(asked)
    assert f"does not know attic.{DOMAIN}" in words(asked)


def test_one_run_repairs_the_last_three(home: Path) -> None:
    make_keys(home)
    done = provisioned(site("-i", str(home)))
    take_keys_away(home)
    assert done.changed()["attic"] == 0
    assert [status(laptop) for laptop in CLIENTS] == ["200"] * 2
    assert given_tags() == EXPECTED_TAGS


def tailscaled_pid() -> str:
    done = on("attic", "sudo launchctl print system/inference.closet.tailscaled")
    found = re.search(r"^\tpid = (\d+)$", done.output, re.MULTILINE)
    return found[1] if found else ""


def test_tailscaled_comes_back_when_it_dies() -> None:
    before = tailscaled_pid()
    assert before
    on("attic", "sudo launchctl kill SIGKILL system/inference.closet.tailscaled")
    in_time(lambda: tailscaled_pid() not in ("", before), True, limit_s=90)
    in_time(lambda: status("air"), "200", limit_s=90)


def test_after_a_reboot_of_everything_each_laptop_answers(home: Path) -> None:
    for host in HOSTS:
        lab("reboot", host)
    for laptop in CLIENTS:
        in_time(lambda laptop=laptop: status(laptop), "200", limit_s=120)  # type: ignore[misc]
    done = provisioned(site("-i", str(home), "--check", "--diff"))
    assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)

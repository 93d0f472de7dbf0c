"""Who may reach the closet: confirmed by a person, a key for each laptop, taken away again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.network import namespace
from tests.lab.advice import command, commands, paste
from tests.lab.conftest import (
    CLIENTS,
    ENVIRONMENT,
    HOSTS,
    ROOT,
    UPPER,
    Done,
    as_root,
    expose,
    lab,
    on,
    provisioned,
    run,
    site,
)
from tests.lab.test_locks import Playing
from tests.lab.test_site import disk

pytestmark = pytest.mark.usefixtures("bare_lab")

CONSENT = "/opt/closet/consent/lan.json"
REFUSED = "attic: closet_exposure is lan, and it has not been confirmed on this host"
LAPTOPS = "all.children.clients.hosts"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory of the lab to edit, with keys of its own beside it."""
    base = tmp_path_factory.mktemp("exposure")
    # its group_vars name files of the checkout relative to the inventory
    (base / "lab").symlink_to(ROOT / "lab")
    copy = base / "inventories" / "home"
    shutil.copytree(ROOT / "inventories/lab", copy, ignore=shutil.ignore_patterns(".secrets"))
    return copy


@pytest.fixture
def untouched() -> Iterator[None]:
    """Nothing that the test does may change a Mac."""
    before = {host: disk(host) for host in HOSTS}
    yield
    assert {host: disk(host) for host in HOSTS} == before


def words(done: Done) -> str:
    return " ".join(done.output.split())


def key_of(home: Path, name: str) -> str:
    folder = home / ".secrets"
    return (folder / ("attic.key" if name == "main" else f"attic/{name}.key")).read_text().strip()


def answer(laptop: str, key: str) -> str:
    """The status that a laptop gets from /v1 with this key; 000 when nothing listens."""
    ask = (
        "curl -s -m 5 -o /dev/null -w '%{http_code}' "
        f"-H 'Authorization: Bearer {key}' http://10.77.31.10:8000/v1/models"
    )
    return on(laptop, ask).output.strip()


def holds(host: str, text: str) -> bool:
    """Whether anything small that was written on a host's disk has this text in it."""
    files = (path for path in (UPPER / host / "upper").rglob("*") if path.is_file())
    small = (path for path in files if not path.is_symlink() and path.stat().st_size < 1 << 20)
    return any(text.encode() in path.read_bytes() for path in small)


def omlx_pid() -> str:
    done = on("attic", "sudo launchctl print system/inference.closet.omlx")
    found = re.search(r"^\tpid = (\d+)$", done.output, re.MULTILINE)
    assert found, done.output
    return found[1]


NAME = "Type the name of the closet"


@pytest.mark.usefixtures("untouched")
def test_an_inventory_line_alone_opens_nothing(home: Path) -> None:
    done = site("-i", str(home))
    assert done.code != 0
    assert REFUSED in words(done)
    assert "playbooks/expose.yml -e scope=lan" in words(done)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("by", ["nobody", "environment", "inventory", "file", "template"])
def test_no_variable_confirms(
    by: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra: list[str] = []
    group = home / "group_vars/closet.yml"
    kept = group.read_text()
    if by == "environment":
        for name in ("confirm", "CONFIRM", "ANSIBLE_CONFIRM", "CLOSET_CONFIRM"):
            monkeypatch.setitem(ENVIRONMENT, name, "attic")
    if by == "inventory":
        group.write_text(f"{kept}\nconfirm: attic\n")
    if by == "file":
        (tmp_path / "given.yml").write_text("confirm: attic\n")
        extra = ["-e", f"@{tmp_path}/given.yml"]
    if by == "template":
        extra = ["-e", "confirm={{inventory_hostname}}"]
    done = expose("lan", "-i", str(home), *extra)
    group.write_text(kept)
    assert done.code != 0
    assert "Nothing was changed" in words(done)
    assert ("which does not count" in words(done)) == (by in ("inventory", "file"))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("scope", "extra", "sentence"),
    [
        ("lan", ["-e", "confirm=atic"], "'atic' is not the name of the closet"),
        ("lan", ["-e", "confirm=attic", "-e", "confirm=air"], "'air' is not the name"),
        ("wan", ["-e", "confirm=attic"], "scope is 'wan', and it has to be one of lan, local"),
        (
            "lan",
            ["-e", "confirm=attic", "-e", "closet_exposure=loopback"],
            "closet_exposure is loopback in the inventory",
        ),
    ],
    ids=["wrong name", "the last one counts", "unknown scope", "no wish"],
)
def test_what_is_not_meant_is_refused(
    scope: str, extra: list[str], sentence: str, home: Path
) -> None:
    done = expose(scope, "-i", str(home), *extra)
    assert done.code != 0
    assert sentence in words(done)
    assert "Nothing was changed" in words(done)


@pytest.mark.parametrize(
    ("forgery", "sentence"),
    [
        ("chown 501:20 lan.json", "/opt/closet/consent/lan.json is not root's alone"),
        ("chown 501:20 .", "/opt/closet/consent is not root's alone"),
        ("chmod 666 lan.json", "/opt/closet/consent/lan.json is not root's alone"),
        ("mv lan.json x; ln -s x lan.json", "/opt/closet/consent/lan.json is not root's alone"),
        ("sed -i s/attic/cellar/ lan.json", "what was confirmed there is for cellar"),
        ("echo > lan.json", "/opt/closet/consent/lan.json is not a record of it"),
    ],
)
def test_a_record_that_root_did_not_make_for_this_host_does_not_count(
    forgery: str, sentence: str, home: Path
) -> None:
    record = json.dumps({"host": "attic", "by": "x", "at": "x", "how": "x", "addresses": []})
    folder = "mkdir -p /opt/closet/consent && cd /opt/closet/consent"
    as_root("attic", f"umask 022; {folder} && echo '{record}' > lan.json && {forgery}")
    done = site("-i", str(home), "--check")
    as_root("attic", "rm -r /opt/closet")
    assert done.code != 0
    assert sentence in words(done)


def test_a_check_would_ask_and_changes_nothing(home: Path) -> None:
    before = disk("attic")
    done = expose("lan", "-i", str(home), "--check", "--diff")
    assert done.code == 0, done.output
    assert done.changed()["attic"] == 1
    assert disk("attic") == before


def test_the_command_that_needs_no_terminal_is_one(home: Path) -> None:
    refused = expose("lan", "-i", str(home))
    assert refused.code != 0
    done = paste(command(refused.output, "confirm=attic"))
    assert done.code == 0, done.output
    record = json.loads(on("attic", f"cat {CONSENT}").output)
    as_root("attic", "rm -r /opt/closet")
    assert (record["host"], record["how"]) == ("attic", "command line")


def test_a_wrong_name_typed_at_the_terminal_is_refused(home: Path) -> None:
    before = disk("attic")
    book = f"ansible-playbook -i {home} playbooks/expose.yml -e scope=lan"
    done = paste(book, {NAME: "atic"})
    assert done.code != 0
    assert "'atic' is not the name of the closet" in words(done)
    assert disk("attic") == before


def test_the_name_typed_at_the_terminal_is_recorded_by_root(home: Path) -> None:
    asked = expose("wan", "-i", str(home))
    done = paste(command(asked.output, "scope=lan"), {NAME: "attic"})
    assert done.code == 0, done.output
    modes = on("attic", f"stat -c '%U %a' /opt/closet/consent {CONSENT}")
    assert modes.output.split("\n")[:2] == ["root 755", "root 644"]
    record = json.loads(on("attic", f"cat {CONSENT}").output)
    assert record["host"] == "attic"
    assert record["how"] == "typed"
    assert record["addresses"] == ["10.77.31.10"]
    assert "@" in record["by"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["at"])
    assert "attic is not provisioned yet, and may serve the LAN" in words(done)
    # and a laptop cannot come first: both say the same, which the next test needs
    early = site("-i", str(home), "--limit", "air")
    assert early.code != 0
    assert "there is no key of air for attic" in words(early)
    advised = command(done.output, "site.yml")
    assert command(early.output, "site.yml") == advised
    provisioned(paste(advised))


def test_a_confirmed_closet_serves_each_laptop_with_a_key_of_its_own(home: Path) -> None:
    keys = {name: key_of(home, name) for name in ("main", *CLIENTS)}
    assert len(set(keys.values())) == len(keys)
    for laptop in CLIENTS:
        assert on(laptop, "cat ~/.config/closet/key").output.strip() == keys[laptop]
        assert answer(laptop, keys[laptop]) == "200"
        assert holds(laptop, keys["air"]) == (laptop == "air")
        assert not holds(laptop, keys["main"]), "the main key is on a laptop"
    assert answer("air", "") == "401"
    # a laptop's key asks; it does not administer
    login = (
        "curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d "
        f"'{json.dumps({'api_key': keys['air']})}' http://10.77.31.10:8000/admin/api/login"
    )
    assert on("air", login).output == "401"


def test_a_laptop_that_leaves_the_inventory_loses_its_key_and_nothing_restarts(home: Path) -> None:
    pid, gone = omlx_pid(), key_of(home, "book")
    hosts = yaml.safe_load((home / "hosts.yml").read_text())
    del hosts["all"]["children"]["clients"]["hosts"]["book"]
    kept = (home / "hosts.yml").read_text()
    (home / "hosts.yml").write_text(yaml.safe_dump(hosts))
    provisioned(site("-i", str(home)))
    (home / "hosts.yml").write_text(kept)
    assert answer("book", gone) == "401"
    assert answer("air", key_of(home, "air")) == "200"
    assert omlx_pid() == pid
    assert not (home / ".secrets/attic/book.key").exists()
    assert list((home / ".secrets/attic/revoked").iterdir()) == []


def test_keys_that_others_could_read_are_replaced_as_advised_while_omlx_goes_on(
    home: Path,
) -> None:
    pid, old = omlx_pid(), {name: key_of(home, name) for name in ("main", "air", "pro")}
    for path, mode in {
        "": 0o755,
        "attic": 0o755,
        "attic.key": 0o644,
        "attic/air.key": 0o644,
    }.items():
        (home / ".secrets" / path).chmod(mode)
    told = run("ansible-playbook", "-i", str(home), "playbooks/preflight.yml")
    assert told.code == 0, told.output
    # book is back, with a new key, in the same run
    done = provisioned(paste(f"{command(told.output, 'rotate=')} -vvv --diff"))
    new = {name: key_of(home, name) for name in ("main", *CLIENTS)}
    assert omlx_pid() == pid
    assert [key for key in (*old.values(), *new.values()) if key in done.output] == []
    assert new["pro"] == old["pro"]
    assert [answer("air", old[name]) for name in ("main", "air")] == ["401", "401"]
    assert [answer("air", key) for key in new.values()] == ["200"] * len(new)
    assert on("air", "cat ~/.config/closet/key").output.strip() == new["air"]


def test_a_word_that_names_no_key_rotates_none(home: Path) -> None:
    before = key_of(home, "air")
    done = site("-i", str(home), "-e", "rotate=iar")
    assert done.code != 0
    assert "rotate is 'iar', and there is no such key; it can be all, main, air" in words(done)
    assert key_of(home, "air") == before


def test_then_a_run_and_a_check_have_nothing_to_do(home: Path) -> None:
    for extra in ([], ["--check", "--diff"]):
        done = provisioned(site("-i", str(home), *extra))
        assert {host: done.changed()[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)


def rename(home: Path, old: str, new: str) -> None:
    """Give the closet another name in the inventory; its address and URL stay."""
    hosts = yaml.safe_load((home / "hosts.yml").read_text())
    closets = hosts["all"]["children"]["closet"]["hosts"]
    closets[new] = {**closets.pop(old), "closet_url_host": "attic.local"}
    (home / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))


def test_a_closet_that_was_renamed_gets_out(home: Path) -> None:
    """Each command of the refusal is run from the state that gave it, in either order."""
    which = run("ansible-playbook", "-i", str(home), "playbooks/profile.yml")
    assert which.code != 0
    provisioned(paste(command(which.output, "profile=lean")))
    pid = omlx_pid()
    rename(home, "attic", "loft")
    refused = site("-i", str(home))
    assert refused.code != 0
    assert "what was confirmed there is for attic" in words(refused)
    assert "loft serves profile lean, which was chosen" in words(refused)
    stay = command(refused.output, "profile=lean")

    # the profile first: refused for the consent alone, and with its command
    first = paste(stay)
    assert first.code != 0
    assert [one for one in commands(first.output) if "ansible-playbook" in one] == [
        command(refused.output, "expose.yml")
    ]
    confirmed = paste(command(first.output, "expose.yml"), {NAME: "loft"})
    assert confirmed.code == 0, confirmed.output
    assert omlx_pid() == pid, "who may reach it is nothing to what it serves"
    assert answer("air", key_of(home, "air")) == "401", "loft has keys of its own"
    assert command(confirmed.output, "profile=lean") == stay
    provisioned(paste(stay))
    assert omlx_pid() == pid
    after = provisioned(site("-i", str(home)))
    assert set(after.changed().values()) == {0}

    # the consent first, and then the other profile
    rename(home, "loft", "attic")
    (home / ".closet/attic.json").unlink()
    refused = site("-i", str(home))
    assert refused.code != 0
    provisioned(paste(command(refused.output, "expose.yml"), {NAME: "attic"}))
    provisioned(paste(command(refused.output, "profile=default")))
    after = provisioned(site("-i", str(home)))
    assert set(after.changed().values()) == {0}
    assert answer("air", key_of(home, "air")) == "200"


def test_a_choice_that_cannot_be_read_is_made_again_or_removed(home: Path) -> None:
    kept = home / ".closet/attic.json"
    for remedy in ("profile=default", "rm "):
        kept.write_text("{")
        refused = site("-i", str(home))
        assert refused.code != 0
        assert f"{kept} holds the profile that was chosen for this closet" in words(refused)
        done = paste(command(refused.output, remedy))
        assert done.code == 0, done.output
        assert run("ansible-playbook", "-i", str(home), "playbooks/preflight.yml").code == 0


BOTH = '{"firewall_application": true, "firewall_networks": ["10.77.31.0/24"]}'
RULES = "sudo pfctl -a com.apple/250.closet -s rules 2>/dev/null"
LISTED = "/usr/libexec/ApplicationFirewall/socketfilterfw --listapps"


def test_a_word_that_is_no_network_is_refused_before_pf_is_touched(home: Path) -> None:
    extra = ("-e", '{"firewall_networks": ["couch.local"]}', "--limit", "attic")
    done = site("-i", str(home), *extra)
    assert done.code != 0
    assert "firewall_networks[0] is 'couch.local', and it has to be a network" in words(done)
    assert on("attic", RULES).output == ""


def test_the_firewalls_know_the_program_and_the_port_and_follow_an_upgrade(home: Path) -> None:
    extra = ("-i", str(home), "-e", BOTH, "--limit", "attic")
    provisioned(site(*extra))
    first = on("attic", "readlink -f /opt/closet/omlx/*/bin/python").output.strip()
    assert first in on("attic", LISTED).output
    assert "from ! <closet_networks> to any port = 8000" in on("attic", RULES).output

    # an upgrade brings an interpreter of another path
    newer = "/opt/closet/python/bin/python3.11"
    as_root(
        "attic",
        f"mkdir -p /opt/closet/python/bin && cp {first} {newer} && "
        f"ln -sfn {newer} /opt/closet/omlx/*/bin/python",
    )
    pid = omlx_pid()
    provisioned(site(*extra))
    listed = on("attic", LISTED).output
    assert newer in listed
    assert first not in listed, "an entry of ours that is stale"
    assert omlx_pid() != pid, "it runs the program that it ran before the entry was made"
    assert provisioned(site(*extra, "--check")).changed()["attic"] == 0


def test_what_the_firewalls_were_told_is_taken_back(home: Path) -> None:
    provisioned(site("-i", str(home), "--limit", "attic"))
    assert "apps = 0" in on("attic", LISTED).output
    assert on("attic", RULES).output == ""
    assert "Disabled" in on("attic", "sudo pfctl -s info 2>/dev/null").output
    assert on("attic", "ls -A /opt/closet/firewall").output == ""
    assert on("attic", "ls /Library/LaunchDaemons").output.count("packet-filter") == 0
    assert provisioned(site("-i", str(home), "--limit", "attic")).changed()["attic"] == 0


def test_a_laptop_that_cannot_get_there_is_told_where_to_look(home: Path) -> None:
    route = ("ip", "-n", namespace("air"), "route")
    assert run(*route, "add", "unreachable", "10.77.31.10").code == 0
    try:
        done = expose("lan", "-i", str(home))
        looked = paste(command(done.output, "lsof"))
    finally:
        run(*route, "del", "unreachable", "10.77.31.10")
    assert {host for host, counters in done.recap().items() if counters["failed"]} == {"air"}
    # so it is the laptop's way to it
    assert "10.77.31.10:8000 (LISTEN)" in looked.output
    assert answer("air", key_of(home, "air")) == "200"


def test_a_consent_that_goes_during_a_run_is_missed_and_given_again(home: Path) -> None:
    """Preflight has seen it, and the module that lets the LAN in looks for itself."""
    closet = ("--limit", "attic,localhost")
    going = Playing("-i", str(home), "site.yml", *closet, "--flush-cache")
    going.until("TASK [Generate the keys]")
    as_root("attic", f"rm {CONSENT}")
    refused = going.end()
    assert refused.code != 0
    assert "10.77.31.10, which others can reach, and it has not been confirmed" in words(refused)
    given = paste(command(refused.output, "expose.yml"), {NAME: "attic"})
    assert given.code == 0, given.output
    assert answer("air", key_of(home, "air")) == "200"


def test_taking_it_back_closes_the_port_for_good(home: Path) -> None:
    done = expose("local", "-i", str(home))
    assert done.code == 0, done.output
    assert "closed, seen from air, pro, book" in words(done)
    assert answer("air", key_of(home, "air")) == "000"
    again = expose("local", "-i", str(home))
    assert again.changed()["attic"] == 0, again.output
    reopened = paste(command(again.output, "expose.yml"), {NAME: "attic"})
    assert reopened.code == 0, reopened.output
    assert answer("air", key_of(home, "air")) == "200"
    assert expose("local", "-i", str(home)).code == 0

    lab("reboot", "attic")
    ask = (
        "for i in $(seq 90); do curl -sf -m 5 http://127.0.0.1:8000/health >/dev/null && exit 0; "
        "sleep 1; done; exit 1"
    )
    assert on("attic", ask, limit_s=150).code == 0
    assert answer("air", key_of(home, "air")) == "000"
    refused = site("-i", str(home))
    assert refused.code != 0
    assert REFUSED in words(refused)


def test_a_role_alone_cannot_open_it_either(home: Path) -> None:
    """Also a play of one's own, past preflight, meets the module that writes omlx's settings."""
    task = {
        "base_path": "/Users/admin/.omlx",
        "settings": {"server": {"host": ["127.0.0.1", "10.77.31.10"]}},
    }
    argv = ("ansible", "-i", str(home), "attic", "-b", "-m", "closet.inference.omlx_settings")
    done = run(*argv, "-a", json.dumps(task))
    assert done.code != 0
    assert "it has not been confirmed on this host" in words(done)

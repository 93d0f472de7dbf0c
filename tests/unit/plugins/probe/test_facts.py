"""One look at a Mac: what it says, and the sentence for each Mac we cannot work with."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.daemon.backends import backends
from ansible_collections.closet.inference.plugins.plugin_utils.probe import macos
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    parse,
    plain,
)

LOOK = """\
Welcome to attic!
probe=begin
kernel=Darwin
machine=arm64
macos=26.5.1
sysctl=137438953472 Mac16,9 0
user=admin
group=staff
home=/Users/admin
sudo=yes
tools=/Library/Developer/CommandLineTools
address=10.77.31.10
installed=omlx/0123456789ab
installed=opencode/1.18.33
probe=end
"""
GOOD = parse(LOOK)


def test_the_look_is_read_past_a_banner() -> None:
    assert (
        HostFacts(
            kernel="Darwin",
            machine="arm64",
            macos="26.5.1",
            model="Mac16,9",
            memory_mb=131072,
            wired_limit_mb=0,
            user="admin",
            group="staff",
            home="/Users/admin",
            sudo=True,
            tools="/Library/Developer/CommandLineTools",
            address="10.77.31.10",
            installed=("omlx/0123456789ab", "opencode/1.18.33"),
            complete=True,
        )
        == GOOD
    )
    assert macos.errors("attic", GOOD, "14", has_sudo_password=False) == []


def test_what_could_not_be_read_is_unknown_and_not_a_guess() -> None:
    seen = parse("probe=begin\nkernel=Darwin\nmachine=\nsysctl=\nsudo=\nprobe=end\n")
    assert (seen.machine, seen.memory_mb, seen.wired_limit_mb, seen.sudo) == (None,) * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kernel": "Linux"}, ["runs Linux, not macOS"]),
        ({"machine": "x86_64"}, ["not Apple Silicon", "x86_64"]),
        ({"macos": "13.7"}, ["macOS 13.7", "oldest that works is 14", "Software Update"]),
        ({"macos": None}, ["oldest that works"]),
        ({"tools": None}, ["xcode-select --install"]),
        ({"sudo": False}, ["sudo without a password", "--ask-become-pass"]),
    ],
)
def test_each_reason_has_its_sentence(change: dict[str, Any], words: list[str]) -> None:
    found = macos.errors("attic", dataclasses.replace(GOOD, **change), "14", False)
    assert len(found) == 1
    for word in ["attic", *words]:
        assert word in found[0]


@pytest.mark.parametrize(
    ("backend", "version", "words"),
    [
        ("omlx", "14.8.2", ["attic runs macOS 14.8.2", "omlx", "profile lean", "needs 15"]),
        ("omlx", "14.8.2", ["Software Update", "choose a profile of mlx_lm or ollama"]),
        ("omlx", "15.0", []),
        ("omlx", "15", []),
        ("omlx", "26.5.1", []),
        ("mlx_lm", "14.0", []),
        ("ollama", "14.8.2", []),
        ("mlx_lm", "13.7", []),  # said for every host, and said once
        ("omlx", None, []),
    ],
)
def test_a_macos_that_the_backend_does_not_run_on(
    backend: str, version: str | None, words: list[str]
) -> None:
    facts = dataclasses.replace(GOOD, macos=version)
    serving = {"backend": backend, "profile": "lean"}
    found = macos.too_old_to_serve("attic", facts, serving, "14")
    assert (found is None) == (not words)
    for word in words:
        assert word in (found or "")


def test_where_an_older_macos_was_let_in_each_backend_still_says_what_it_needs() -> None:
    facts = dataclasses.replace(GOOD, macos="13.7")
    for backend in backends().values():
        serving = {"backend": backend.name, "profile": "mine"}
        said = macos.too_old_to_serve("attic", facts, serving, "13") or ""
        assert f"needs {backend.macos}" in said
        assert "choose" not in said, "no backend runs there"


def test_a_laptop_needs_no_more_than_what_every_host_needs() -> None:
    facts = dataclasses.replace(GOOD, macos="14.8.2")
    assert macos.too_old_to_serve("air", facts, {}, "14") is None
    assert macos.errors("air", facts, "14", has_sudo_password=False) == []


def test_a_sudo_password_given_to_ansible_is_as_good_as_none_needed() -> None:
    assert macos.errors("attic", dataclasses.replace(GOOD, sudo=False), "14", True) == []


def test_macos_26_is_newer_than_macos_14() -> None:
    assert macos.errors("attic", dataclasses.replace(GOOD, macos="26"), "14.2", False) == []


LISTENS = """\
addresses=127.0.0.1 10.77.31.10
listener=412 1 0 omlx-server
listener=413 412 1 omlx-runtime
ours=412
record={"version": 1, "serving": {"profile": "lean"}, "serve_dir": "/", "sizes_gb": {"o/m@main": 4}}
"""
SERVING = {"port": 8000}


def serving(text: str) -> HostFacts:
    return parse(LOOK.replace("probe=end", f"{text}probe=end"))


def test_what_launchd_runs_for_us_is_no_stranger_on_the_port() -> None:
    seen = serving(LISTENS)
    assert seen.foreign_listeners == ()
    assert seen.record["serving"] == {"profile": "lean"}
    assert macos.closet_errors("attic", seen, SERVING, "attic.local") == []
    assert "hub" not in plain(seen)


@pytest.mark.parametrize(
    ("text", "url_host", "words"),
    [
        (
            "listener=99 1 0 /usr/bin/python3\nours=412\n",
            "attic.local",
            ["port 8000 is in use by /usr/bin/python3 (pid 99)", "closet_port"],
        ),
        (
            "addresses=127.0.0.1 10.77.31.10\n",
            "10.77.31.99",
            ["closet_url_host is 10.77.31.99", "10.77.31.10", "another machine"],
        ),
        (
            "sudoers=/etc/sudoers.d/mine:1:9: syntax error\n",
            "attic.local",
            ["already invalid", "/etc/sudoers.d/mine:1:9", "sudo visudo -f"],
        ),
        ("sysctl_conf=no file\n", "attic.local", ["/etc/sysctl.conf is not a file"]),
    ],
)
def test_each_reason_of_a_closet_has_its_sentence(
    text: str, url_host: str, words: list[str]
) -> None:
    found = macos.closet_errors("attic", serving(text), SERVING, url_host)
    assert len(found) == 1
    for word in ["attic", *words]:
        assert word in found[0]


def test_broken_rules_of_our_own_are_the_roles_to_mend() -> None:
    seen = serving("sudoers=/etc/sudoers.d/closet-wired-memory:2: syntax error\n")
    assert macos.closet_errors("attic", seen, SERVING, "attic.local") == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"serving": 3, "serve_dir": "/x"}', '{"serving": {}}']
)
def test_a_record_that_is_broken_is_none(text: str) -> None:
    assert serving(f"record={text}\n").record == {}


LAPTOP = (
    "probe=begin\nkernel=Darwin\nuser=admin\ngroup=staff\nhome=/Users/admin\n"
    "power=Now drawing from 'Battery Power'  -InternalBattery-0 (id=1) 78%; discharging; x\n"
    "filevault=FileVault is On.\nautologin=admin\nturned_off=inference.closet.omlx \n"
    "account=250 staff\naccount_home=/Users/_closet\n"
    "served_from=omlx /opt/closet/omlx/1f2e\nversion=/opt/closet/omlx/1f2e 0.6.0\n"
    "served_from=mlx_lm \nserved_from=ollama /opt/closet/ollama/0.34.4\nprobe=end\n"
)


def test_power_and_what_may_be_in_the_way_are_read() -> None:
    seen = parse(LAPTOP)
    assert (seen.battery, seen.on_battery, seen.filevault) == (True, True, True)
    assert (seen.autologin, seen.turned_off) == ("admin", ("inference.closet.omlx",))
    assert (seen.account_uid, seen.account_group, seen.account_home) == (
        250,
        "staff",
        "/Users/_closet",
    )
    assert plain(seen)["versions"] == {"/opt/closet/omlx/1f2e": "0.6.0"}
    assert plain(seen)["served_from"] == {
        "omlx": "/opt/closet/omlx/1f2e",
        "ollama": "/opt/closet/ollama/0.34.4",
    }
    desktop = parse("probe=begin\npower=Now drawing from 'AC Power' \nprobe=end\n")
    assert (desktop.battery, desktop.on_battery) == (False, False)
    assert (GOOD.battery, GOOD.filevault, GOOD.account_uid) == (None, None, None)


@pytest.mark.parametrize(
    ("facts", "shape", "refused"),
    [(LAPTOP, "appliance", True), (LAPTOP, "workstation", False), (LOOK, "appliance", False)],
)
def test_a_laptop_is_a_closet_only_when_it_is_a_workstation(
    facts: str, shape: str, refused: bool
) -> None:
    assert bool(macos.laptop_closet("book", parse(facts), shape)) is refused


def test_what_is_not_fought_is_said() -> None:
    said = macos.warnings("book", parse(LAPTOP), "stop")
    assert [any(word in sentence for sentence in said) for word in ("FileVault", "in by itself")]
    assert "inference.closet.omlx was turned off" in said[2]
    assert "closet_on_battery is stop" in said[3]
    assert len(macos.warnings("book", parse(LAPTOP), "nothing")) == 3
    assert macos.warnings("attic", GOOD, "nothing") == []


@pytest.mark.parametrize(
    ("account", "change", "words"),
    [
        ("", {"account_uid": None}, None),
        ("_closet", {}, None),
        ("_closet", {"account_uid": None}, "there is no such account"),
        ("root", {"account_uid": 0}, "must not be root"),
        ("_closet", {"account_home": None}, "no home folder"),
    ],
)
def test_an_account_has_to_be_there(
    account: str, change: dict[str, Any], words: str | None
) -> None:
    found = macos.no_account("attic", dataclasses.replace(parse(LAPTOP), **change), account)
    assert (found is None) if words is None else (found is not None and words in found)

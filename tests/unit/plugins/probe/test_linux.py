"""A laptop with Linux: what the look says of it, and the sentence for each that cannot be one."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import linux, script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    parse,
    plain,
)

LOOK = """\
Linux tux 6.1.0-30-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.124-1 (2025-01-12) x86_64
probe=begin
kernel=Linux
machine=x86_64
macos=
sysctl=
user=kim
group=kim
home=/home/kim
sudo=yes
tools=
address=
distribution=debian
system=Debian GNU/Linux 12 (bookworm)
architecture=amd64
avx2=yes
python=3.11
has_sudo=yes
address=192.168.1.24
probe=end
"""
GOOD = parse(LOOK)


def test_the_look_is_read_past_a_banner() -> None:
    assert (
        HostFacts(
            kernel="Linux",
            machine="x86_64",
            user="kim",
            group="kim",
            home="/home/kim",
            sudo=True,
            distribution="debian",
            system="Debian GNU/Linux 12 (bookworm)",
            architecture="amd64",
            avx2=True,
            python="3.11",
            has_sudo=True,
            address="192.168.1.24",
            complete=True,
        )
        == GOOD
    )
    assert linux.errors("tux", GOOD, has_sudo_password=False, serves=False) == []
    assert plain(GOOD)["root_group"] == "root"


def test_a_mac_says_nothing_of_linux_and_has_a_wheel() -> None:
    seen = parse("probe=begin\nkernel=Darwin\nprobe=end\n")
    assert (seen.distribution, seen.architecture, seen.avx2, seen.has_sudo) == (None,) * 4
    assert plain(seen)["root_group"] == "wheel"


FEDORA = {"distribution": "fedora", "system": "Fedora Linux 43 (Workstation Edition)"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (FEDORA, ["tux runs Fedora Linux 43", "macOS, Debian or Ubuntu", "take it out"]),
        ({"distribution": None, "system": None}, ["tux runs Linux", "Debian or Ubuntu"]),
        ({"architecture": "armhf"}, ["programs for armhf", "amd64 and arm64"]),
        ({"architecture": None}, ["an unknown processor"]),
        ({"has_sudo": False, "sudo": False}, ["no sudo", "apt-get install sudo", "adduser kim"]),
        ({"sudo": False}, ["kim may not use sudo without a password", "--ask-become-pass"]),
        ({"python": None}, ["/usr/bin/python3", "apt-get install python3"]),
        ({"python": "3.8"}, ["bookworm", "Python 3.8", "oldest that works is 3.9", "Ubuntu 22.04"]),
    ],
)
def test_each_reason_has_its_sentence(change: dict[str, Any], words: list[str]) -> None:
    found = linux.errors("tux", dataclasses.replace(GOOD, **change), False, serves=False)
    assert len(found) == 1
    for word in ["tux", *words]:
        assert word in found[0]


@pytest.mark.parametrize(
    "change",
    [
        {"distribution": "ubuntu", "system": "Ubuntu 24.04.1 LTS"},
        {"architecture": "arm64", "avx2": False},
        {"avx2": False},
        {"python": "3.9"},
    ],
)
def test_what_is_no_reason(change: dict[str, Any]) -> None:
    assert linux.errors("tux", dataclasses.replace(GOOD, **change), False, serves=False) == []


def test_a_tailnet_is_for_macs_and_the_way_out_of_it_is_said() -> None:
    (found,) = linux.errors("tux", GOOD, False, serves=False, in_tailnet=True)
    for word in ("tux runs Debian", "Macs only", 'closet_tailnet: ""', "closet_reach: lan"):
        assert word in found


def test_a_sudo_password_helps_only_where_sudo_is() -> None:
    asks = dataclasses.replace(GOOD, sudo=False)
    assert linux.errors("tux", asks, has_sudo_password=True, serves=False) == []
    without = dataclasses.replace(asks, has_sudo=False)
    assert "no sudo" in linux.errors("tux", without, True, serves=False)[0]


@pytest.mark.parametrize("change", [{}, FEDORA, {"architecture": "armhf"}])
def test_no_linux_machine_is_a_closet_and_nothing_else_is_said_of_it(
    change: dict[str, Any],
) -> None:
    (sentence,) = linux.errors("attic", dataclasses.replace(GOOD, **change), True, serves=True)
    assert "a closet is a Mac with Apple Silicon" in sentence
    assert "the group clients" in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="looks at this very machine")
def test_the_look_works_on_this_machine() -> None:
    done = subprocess.run(
        ["/bin/sh"], input=script.text(None), text=True, capture_output=True, check=True, timeout=30
    )
    seen = parse(done.stdout)
    release = platform.freedesktop_os_release()
    assert done.stderr == ""
    assert seen.complete
    assert (seen.kernel, seen.distribution) == ("Linux", release.get("ID"))
    assert seen.system == release.get("PRETTY_NAME")
    assert seen.python is not None
    assert seen.python.startswith("3.")
    assert seen.avx2 is not None
    assert seen.has_sudo is not None

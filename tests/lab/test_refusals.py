"""Bad input is refused before anything changes, in a sentence that names it and the fix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import HOSTS, ROOT, as_root, site
from tests.lab.test_site import disk

pytestmark = pytest.mark.usefixtures("fresh_lab")

CLOSET = "all.children.closet.hosts"
CLIENTS = "all.children.clients.hosts"


def inventory(folder: Path, edits: dict[str, Any]) -> Path:
    """Copy the lab's inventory with some values replaced, each named by its dotted path."""
    copy = folder / "home"
    shutil.copytree(ROOT / "inventories/lab", copy, ignore=shutil.ignore_patterns(".secrets"))
    document = yaml.safe_load((copy / "hosts.yml").read_text())
    for path, value in edits.items():
        at = document
        *parents, last = path.split(".")
        for parent in parents:
            at = at[parent]
        at[last] = value
    (copy / "hosts.yml").write_text(yaml.safe_dump(document))
    return copy


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no closet": (
        {f"{CLOSET}": {}},
        ["has no host in the group closet"],
    ),
    "two names for one Mac": (
        {f"{CLIENTS}.pro.ansible_host": "10.77.31.21"},
        ["pro and air have one address (10.77.31.21)"],
    ),
    "unknown profile": (
        {f"{CLOSET}.attic.closet_profile": "defualt"},
        ["attic: there is no profile 'defualt', do you mean default?", "closet_profile"],
    ),
    "unknown model of a profile": (
        {
            f"{CLOSET}.attic.closet_profile": "mine",
            f"{CLOSET}.attic.closet_profiles": {
                "mine": {"models": ["qwen3-codr-next"], "build": "x", "chat": "x"}
            },
        },
        ["'qwen3-codr-next'", "do you mean qwen3-coder-next?"],
    ),
    "unknown model of a laptop": (
        {f"{CLIENTS}.air.opencode_model": "qwen3.6-35B"},
        ["air: opencode_model is 'qwen3.6-35B'", "do you mean qwen3.6-35b?"],
    ),
    "unknown exposure": (
        {f"{CLOSET}.attic.closet_exposure": "wan"},
        ["attic: closet_exposure is 'wan', it can be loopback or lan"],
    ),
    "the LAN without a key": (
        {f"{CLOSET}.attic.closet_api_key": ""},
        ["attic: closet_api_key is empty", "Nothing was changed"],
    ),
    "a key that no header can carry": (
        {f"{CLIENTS}.air.closet_client_key": "not a key, but a sentence"},
        ["air: closet_client_key has characters other than letters"],
    ),
    "two laptops with one key": (
        {
            f"{CLIENTS}.air.closet_client_key": "0123456789abcdef0123",
            f"{CLIENTS}.pro.closet_client_key": "0123456789abcdef0123",
        },
        ["pro: closet_client_key is the same key as air: closet_client_key"],
    ),
    "a typing error in a variable": (
        {f"{CLIENTS}.air.opencode_modle": "qwen3.6-35b"},
        ["hosts.yml:", "opencode_modle (host air), do you mean opencode_model?"],
    ),
    "a value of the wrong type": (
        {f"{CLOSET}.attic.omlx_port": "eight thousand"},
        ["hosts.yml:", "(host attic): argument 'omlx_port' is of type str", "int"],
    ),
    "a profile that does not fit": (
        # the two Macs change places: now the closet is a MacBook Air with 16 GB
        {
            f"{CLOSET}.attic.ansible_host": "10.77.31.21",
            f"{CLIENTS}.air.ansible_host": "10.77.31.10",
            # nothing listens there: the sizes are those of the lineup
            f"{CLOSET}.attic.models_endpoint": "http://hub.local:9",
        },
        [
            "attic: profile default needs 8",
            "of its 16 GB models may take 12.9",
            "weights 74.7 GB sizes from the lineup",
            "42.0 qwen3-coder-next",
            "No profile fits this Mac",
        ],
    ),
    "a closet that does not answer": (
        {f"{CLOSET}.attic.ansible_host": "10.77.31.99"},
        ["attic does not answer by ssh at 10.77.31.99", "Remote Login", "Nothing was changed"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_inventory_that_cannot_work_changes_nothing(case: str, tmp_path: Path) -> None:
    edits, sentences = CASES[case]
    before = {host: disk(host) for host in HOSTS}
    done = site("-i", str(inventory(tmp_path, edits)), "-T", "2")
    assert done.code != 0
    text = " ".join(done.output.split())
    for sentence in sentences:
        assert sentence in text
    assert {host: disk(host) for host in HOSTS} == before


def test_two_closets_under_one_name_are_refused_with_file_and_line(tmp_path: Path) -> None:
    home = inventory(tmp_path, {})
    text = (home / "hosts.yml").read_text()
    (home / "hosts.yml").write_text(
        text.replace("        attic:", "        attic: {}\n        attic:")
    )
    done = site("-i", str(home))
    assert done.code != 0
    assert "duplicate mapping key 'attic'" in done.output
    assert "hosts.yml:" in done.output


SPOILED = "/usr/bin/uname /usr/bin/xcode-select /usr/libexec/closet-lab/mac.env /etc/sudoers.d/lab"
UNFIT = {
    "not Apple Silicon": (
        r"""printf '#!/bin/sh\n[ "$1" = -m ] && echo x86_64 || echo Darwin\n' > /usr/bin/uname""",
        ["book is not Apple Silicon (x86_64)", "take it out of the inventory"],
    ),
    "too old": (
        "sed -i \"s/^MACOS=.*/MACOS='13.7'/\" /usr/libexec/closet-lab/mac.env",
        ["book runs macOS 13.7, the oldest that works is 14", "Software Update"],
    ),
    "no sudo right": (
        "rm /etc/sudoers.d/lab",
        ["book: admin may not use sudo without a password", "--ask-become-pass"],
    ),
    "no Command Line Tools": (
        r"printf '#!/bin/sh\nexit 2\n' > /usr/bin/xcode-select",
        ["book has no Command Line Tools", "xcode-select --install"],
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_one_laptop_that_is_unfit_stops_the_run_before_the_closet_changes(case: str) -> None:
    spoil, sentences = UNFIT[case]
    as_root("book", f"tar -cpf /run/kept.tar {SPOILED}")
    as_root("book", spoil)
    before = {host: disk(host) for host in HOSTS}
    done = site()
    after = {host: disk(host) for host in HOSTS}
    as_root("book", "tar -xpf /run/kept.tar -C /")
    assert done.code != 0
    text = " ".join(done.output.split())
    for sentence in [*sentences, "Nothing was changed"]:
        assert sentence in text
    assert after == before


def test_a_laptop_that_sleeps_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    home = inventory(tmp_path, {f"{CLIENTS}.air.ansible_host": "10.77.31.98"})
    done = site("-i", str(home), "--check", "-T", "2")
    assert done.code != 0
    assert "air does not answer by ssh at 10.77.31.98" in " ".join(done.output.split())
    assert done.recap()["air"]["unreachable"] == 1
    assert done.recap()["pro"]["failed"] == 0
    assert done.recap()["attic"]["changed"] > 0


def test_without_exposure_the_closet_stays_on_loopback_and_says_what_is_missed() -> None:
    loopback = json.dumps({"closet_exposure": "loopback"})
    done = site("--check", "-e", loopback)
    assert done.code == 0, done.output[-3000:]
    assert "serves on loopback only" in " ".join(done.output.split())

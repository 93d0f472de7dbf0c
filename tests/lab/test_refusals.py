"""Bad input is refused before anything changes, in a sentence that names it and the fix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.advice import command, paste
from tests.lab.conftest import HOSTS, ROOT, as_root, run, site
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
    "two names for one Mac, by two addresses": (
        {
            # a name that leads to air, as a second address of it would
            f"{CLIENTS}.pro.ansible_host": "elsewhere.local",
            f"{CLIENTS}.pro.ansible_ssh_extra_args": "-o HostName=10.77.31.21",
        },
        ["air and pro are one Mac (hardware UUID"],
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
        ["(host attic): closet_exposure is 'wan', and it has to be one of loopback, lan"],
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
        ["hosts.yml:", "(host attic): omlx_port is 'eight thousand', and it has to be a whole"],
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
            "weights 74.7 GB sizes from the catalog",
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
#: the host, what is done to it, and what is said of it
UNFIT = {
    "not Apple Silicon": (
        "book",
        r"""printf '#!/bin/sh\n[ "$1" = -m ] && echo x86_64 || echo Darwin\n' > /usr/bin/uname""",
        ["book is not Apple Silicon (x86_64)", "take it out of the inventory"],
    ),
    "too old": (
        "book",
        "sed -i \"s/^MACOS=.*/MACOS='13.7'/\" /usr/libexec/closet-lab/mac.env",
        ["book runs macOS 13.7, the oldest that works is 14", "Software Update"],
    ),
    "too old for the closet's backend": (
        "attic",
        "sed -i \"s/^MACOS=.*/MACOS='14.8.2'/\" /usr/libexec/closet-lab/mac.env",
        [
            "attic runs macOS 14.8.2, and omlx, which profile default serves with, needs 15",
            "choose a profile of mlx_lm or ollama",
        ],
    ),
    "no sudo right": (
        "book",
        "rm /etc/sudoers.d/lab",
        ["book: admin may not use sudo without a password", "--ask-become-pass"],
    ),
    "no Command Line Tools": (
        "book",
        r"printf '#!/bin/sh\nexit 2\n' > /usr/bin/xcode-select",
        ["book has no Command Line Tools", "xcode-select --install"],
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_one_host_that_is_unfit_stops_the_run_before_the_closet_changes(case: str) -> None:
    host, spoil, sentences = UNFIT[case]
    as_root(host, f"tar -cpf /run/kept.tar {SPOILED}")
    as_root(host, spoil)
    before = {host: disk(host) for host in HOSTS}
    done = site()
    after = {host: disk(host) for host in HOSTS}
    as_root(host, "tar -xpf /run/kept.tar -C /")
    assert done.code != 0
    text = " ".join(done.output.split())
    for sentence in [*sentences, "Nothing was changed"]:
        assert sentence in text
    assert after == before


HOME = "/Users/admin"
REAL = "/Users/elsewhere"
MOVED = f"mv {HOME} {REAL} && ln -s {REAL} {HOME}"
BACK = f"rm {HOME} && mv {REAL} {HOME}"
SMALL = (
    "mount -t tmpfs -o size={size} tmpfs {at} && dd if=/dev/zero of={at}/fill bs=1M count={count}"
)
#: what is done to book, how it is undone, and what is said of it
TROUBLE = {
    "a home that is a link of its user's": (
        f"{MOVED} && chown -h 501 {HOME}",
        BACK,
        ["book: the home of admin, /Users/admin,", "the user 501 and not to root", "chown -h root"],
    ),
    "a home that cannot be written": (
        f"chmod 0555 {HOME}",
        f"chmod 0755 {HOME}",
        ["book: the home of admin, /Users/admin,", "sudo chmod u+rwx /Users/admin"],
    ),
    "a home that was mounted read-only": (
        f"mount --bind {HOME} {HOME} && mount -o remount,bind,ro {HOME}",
        f"umount {HOME}",
        ["book: the home of admin, /Users/admin, cannot be written", "its volume is read-only"],
    ),
    "a full /tmp": (
        f"{SMALL.format(size='40m', at='/tmp', count=20)}",
        "umount /tmp",
        ["book: the disk of /tmp (/tmp) has 20 MiB free", "needs 32 MiB", "sudo du -xhd 2 /tmp"],
    ),
    "a full /opt": (
        f"{SMALL.format(size='420m', at='/opt', count=10)}",
        "umount /opt",
        ["book: the disk of /opt (/opt) has 410 MiB free", "opencode will be installed there"],
    ),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_a_home_or_a_disk_that_would_stop_a_run_is_refused_before_it(case: str) -> None:
    make, mend, sentences = TROUBLE[case]
    as_root("book", make)
    before = {host: disk(host) for host in HOSTS}
    done = site()
    after = {host: disk(host) for host in HOSTS}
    as_root("book", mend)
    assert done.code != 0
    text = " ".join(done.output.split())
    for sentence in [*sentences, "Nothing was changed"]:
        assert sentence in text
    assert after == before


def test_a_home_on_another_volume_is_fine_when_root_made_the_link() -> None:
    as_root("book", MOVED)
    done = run("ansible-playbook", "playbooks/preflight.yml")
    as_root("book", BACK)
    assert done.code == 0, done.output[-3000:]


#: of the account that serves
ACCOUNTS_HOME = {
    "everybody may write it": (
        "mkdir -m 0777 {home}; chown 250:20 {home}",
        ["can be changed by other users", "sudo chmod go-w /Users/_closet"],
    ),
    "it is another user's": (
        "mkdir {home}; chown 501:20 {home}",
        ["belongs to the user 501 and not to _closet (250)", "sudo chown 250 /Users/_closet"],
    ),
    "it is a file": ("touch {home}", ["is not a folder", "sudo mv -n /Users/_closet"]),
    "its volume is not there": (
        "ln -s /Volumes/Big/_closet {home}",
        ["is a link to /Volumes/Big/_closet, which is not there", "mount the volume"],
    ),
    "it is not there": ("true", ["is not there: on attic run `sudo install -d -o 250 -g 20"]),
}


@pytest.mark.parametrize("case", ACCOUNTS_HOME)
def test_the_home_of_the_account_that_serves_is_looked_at_too(case: str) -> None:
    make, sentences = ACCOUNTS_HOME[case]
    home = "/Users/_closet"
    entry = f"_closet:*:250:20::{home}:/usr/bin/false"
    as_root("attic", f"grep -q ^_closet: /etc/passwd || echo '{entry}' >> /etc/passwd")
    as_root("attic", make.format(home=home))
    done = site("-e", "closet_service_account=_closet")
    as_root("attic", f"rm -rf {home}")
    assert done.code != 0
    text = " ".join(done.output.split())
    for sentence in ["attic: the home of _closet, /Users/_closet,", *sentences]:
        assert sentence in text
    assert {done.changed()[host] for host in HOSTS} == {0}


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


#: parts of a run that were never begun
PARTS = {
    "in the middle": (["--start-at-task", "Generate the keys"], "would begin in the middle"),
    "without the look": (["--skip-tags", "always"], "would begin in the middle"),
    "a tag of nothing": (["--tags", "pwoer"], "--tags pwoer: no task of site has this tag, do you"),
    "a host of nothing": (["--limit", "atic"], "--limit leaves us with no hosts to target"),
    "a laptop before its closet": (["--limit", "air"], "run `ansible-playbook site.yml`"),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_part_of_a_run_that_cannot_be_changes_nothing(case: str, tmp_path: Path) -> None:
    words, sentence = PARTS[case]
    home = inventory(tmp_path, {})
    before = {host: disk(host) for host in HOSTS}
    done = site("-i", str(home), *words)
    assert done.code != 0
    text = " ".join(done.output.split())
    assert sentence.replace("ansible-playbook", f"ansible-playbook -i {home}") in text
    assert "undefined" not in text
    assert {host: disk(host) for host in HOSTS} == before


#: of admin, on the Mac that wants a password for sudo
WITH_PASSWORD = (
    "cp -p /etc/shadow /run/shadow && printf 'admin ALL=(ALL) ALL\\n' > /etc/sudoers.d/lab && "
    "echo 'admin:right one' | chpasswd -c SHA256"
)
FREE_AGAIN = (
    "cp -p /run/shadow /etc/shadow && "
    "printf 'admin ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/lab"
)


def test_a_wrong_sudo_password_is_found_before_anything_changes_and_the_advice_helps(
    tmp_path: Path,
) -> None:
    home = inventory(tmp_path, {})
    ask = f"ansible-playbook -i {home} playbooks/preflight.yml --ask-become-pass"
    as_root("book", WITH_PASSWORD)
    try:
        before = {host: disk(host) for host in HOSTS}
        done = paste(
            f"ansible-playbook -i {home} site.yml --ask-become-pass", {"BECOME password": "wrong"}
        )
        assert {host: disk(host) for host in HOSTS} == before
        assert done.code != 0
        text = " ".join(done.output.split())
        assert "book: sudo does not take the password of this run for admin there" in text
        assert "Nothing was changed" in text
        assert "Provision the closet" not in text
        assert "pro: sudo" not in text, "which wants none"

        advised = command(done.output, "ansible-vault")
        new = {"New Vault password": "vault", "Confirm New Vault password": "vault"}
        kept = paste(advised, {**new, "sudo password on book": "right one"})
        assert kept.code == 0, f"{advised}\n{kept.output}"
        passwords = {"BECOME password": "wrong", "Vault password": "vault"}
        done = paste(f"{ask} --ask-vault-pass", passwords)
        assert done.code == 0, done.output
        own = home / "host_vars/book.yml"
        assert "right one" not in own.read_text()

        own.write_text("# its own\nansible_become_password: wrong\n")
        done = run("ansible-playbook", "-i", str(home), "playbooks/preflight.yml")
        assert done.code != 0
        text = " ".join(done.output.split())
        assert f"is from ansible_become_password ({own}:2): correct it for book" in text
    finally:
        as_root("book", FREE_AGAIN)


NO_ADMIN = "rm /etc/sudoers.d/lab && sed -i 's/^admin:.*/admin:x:80:root/' /etc/group"


def test_who_may_not_use_sudo_at_all_is_told_so(tmp_path: Path) -> None:
    as_root("book", f"{WITH_PASSWORD} && cp -p /etc/group /run && {NO_ADMIN}")
    before = {host: disk(host) for host in HOSTS}
    # a connection that is up has the groups of its login
    anew = ("-e", "ansible_control_path_dir=/tmp/closet-lab-anew")
    done = site("-e", "ansible_become_password='right one'", *anew)
    assert {host: disk(host) for host in HOSTS} == before
    as_root("book", f"{FREE_AGAIN} && cp -p /run/group /etc/group")
    assert done.code != 0
    text = " ".join(done.output.split())
    assert "book: admin may not use sudo there, whatever the password" in text
    assert "sudo dseditgroup -o edit -a admin -t user admin" in text

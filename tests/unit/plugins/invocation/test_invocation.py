# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages: from where the owner stands, for the hosts of this run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.invocation import (
    Invocation,
    folder_of_checkout,
    options,
)

ROOT = Path(__file__).resolve().parents[4]
DEFAULTS: dict[str, Any] = {
    "DEFAULT_HOST_LIST": ["/repo/inventories/lab"],
    "DEFAULT_REMOTE_USER": None,
    "DEFAULT_PRIVATE_KEY_FILE": None,
    "DEFAULT_TRANSPORT": "ssh",
    "DEFAULT_ASK_PASS": False,
    "DEFAULT_BECOME_ASK_PASS": False,
    "DEFAULT_ASK_VAULT_PASS": False,
    "CONNECTION_PASSWORD_FILE": None,
    "BECOME_PASSWORD_FILE": None,
}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"inventory": ["/repo/inventories/home"]}, "-i inventories/home"),
        ({"inventory": ["/repo/inventories/lab"]}, ""),
        ({"inventory": ["/elsewhere/home"]}, "-i /elsewhere/home"),
        ({"inventory": ["/repo/my home"]}, "-i 'my home'"),
        ({"inventory": ["attic,air,"]}, "-i attic,air,"),
        ({"inventory": ["/repo/a", "/repo/b"]}, "-i a -i b"),
        ({"connection": "ssh", "remote_user": None}, ""),
        ({"remote_user": "jane doe"}, "-u 'jane doe'"),
        ({"private_key_file": "/home/me/.ssh/id"}, "--private-key /home/me/.ssh/id"),
        ({"ssh_common_args": "-J hop"}, "--ssh-common-args '-J hop'"),
        ({"become_ask_pass": True}, "--ask-become-pass"),
        ({"ask_vault_pass": True, "ask_pass": True}, "--ask-pass --ask-vault-pass"),
        ({"vault_ids": ["home@prompt"]}, "--vault-id home@prompt"),
        ({"vault_password_files": ("/repo/pw",)}, "--vault-password-file /repo/pw"),
        ({"become_password_file": "/repo/pw"}, "--become-password-file /repo/pw"),
        # a file belongs to the inventory, a word was meant for one run, and may be a secret
        ({"extra_vars": ("@home.yml", "profile=lean", "closet_api_key=abc")}, "-e @home.yml"),
    ],
)
def test_another_command_gets_what_leads_to_the_same_hosts(
    given: dict[str, Any], words: str
) -> None:
    given = {"inventory": DEFAULTS["DEFAULT_HOST_LIST"], **given}
    assert shlex.join(options(given, DEFAULTS, "/repo")) == words


@pytest.mark.parametrize("setting", ["DEFAULT_BECOME_ASK_PASS", "DEFAULT_ASK_PASS"])
def test_what_the_settings_say_is_not_repeated(setting: str) -> None:
    given = {"ask_pass": True, "become_ask_pass": True}
    found = options(given, {**DEFAULTS, "DEFAULT_HOST_LIST": [], setting: True}, "/repo")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("run", "command"),
    [
        (Invocation(), "ansible-playbook playbooks/expose.yml -e 'a b=1'"),
        (
            Invocation(("-i", "home"), "/x/repo/"),
            "ansible-playbook -i home /x/repo/playbooks/expose.yml -e 'a b=1'",
        ),
        (Invocation((), None), "ansible-playbook closet.inference.expose -e 'a b=1'"),
        (
            Invocation((), "", "/opt/venv/bin/"),
            "/opt/venv/bin/ansible-playbook playbooks/expose.yml -e 'a b=1'",
        ),
    ],
)
def test_a_playbook_is_named_as_it_was_run(run: Invocation, command: str) -> None:
    assert run.playbook("expose", "-e", "a b=1") == command


def test_site_is_at_the_top_of_a_checkout() -> None:
    assert Invocation().playbook("site") == "ansible-playbook site.yml"
    assert Invocation(folder=None).playbook("site") == "ansible-playbook closet.inference.site"


def test_a_closet_is_named_where_there_are_several() -> None:
    run = Invocation()
    assert run.expose("attic", 1) == "ansible-playbook playbooks/expose.yml -e scope=lan"
    assert run.expose("attic", 2).endswith(" -e scope=lan --limit attic")
    assert run.choose("lean", "attic", 1).endswith("profile.yml -e profile=lean")
    assert run.choose("lean", "attic", 2).endswith(" -e profile=lean -e closet=attic")


def test_where_the_checkout_is(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    (root / "playbooks").mkdir(parents=True)
    (root / "collections/ansible_collections/closet").mkdir(parents=True)
    (root / "collections/ansible_collections/closet/inference").symlink_to(root)
    home = tmp_path / "home"
    home.mkdir()
    paths = (str(root / "collections"),)

    def folder(books: tuple[str, ...], here: Path, collections: tuple[str, ...]) -> str | None:
        return folder_of_checkout(str(root), books, collections, str(here))

    assert folder(("site.yml",), root, paths) == ""
    assert folder(("playbooks/expose.yml",), root, paths) == ""
    assert folder(("closet.inference.site",), root, paths) is None
    assert folder((f"{root}/site.yml",), home, ()) == f"{root}/"
    assert folder(("repo/site.yml",), tmp_path, ()) == "repo/"
    # a playbook of the owner's own, with the collection in a configured path or beside it alone
    assert folder(("mine.yml",), home, paths) is None
    assert folder(("mine.yml",), home, ()) == f"{root}/"
    # ansible, which has no playbook
    assert folder((), home, paths) is None


SAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "<{{ 'expose' | closet.inference.playbook_command('-e', 'scope=lan',
                          ['--limit', 'a b']) }}>"
    - ansible.builtin.debug:
        msg: "<{{ 'attic' | closet.inference.ad_hoc_command('-b', '-m', 'ping') }}>"
"""


def said(here: Path, *words: str, **environment: str) -> list[str]:
    """What the filters make in a run that is started in the folder `here`."""
    (here / "say.yml").write_text(SAY)
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["ansible-playbook", "say.yml", *words],
        cwd=here,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(here),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = " ".join(done.stdout.replace('\\"', '"').split())
    return [piece.partition(">")[0] for piece in text.split("<")[1:]]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The owner's folder with the collection installed in it, as far as filters need it."""
    collection = tmp_path / "collections/ansible_collections/closet/inference"
    collection.parent.mkdir(parents=True)
    keep = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "plugins", collection / "plugins", ignore=keep)
    shutil.copytree(ROOT / "playbooks", collection / "playbooks", ignore=keep)
    shutil.copytree(ROOT / "meta", collection / "meta", ignore=keep)
    (tmp_path / "home").write_text("attic\n")
    return tmp_path


def test_with_the_inventory_of_the_command_line(installed: Path) -> None:
    found = said(installed, "-i", "home", ANSIBLE_COLLECTIONS_PATH="collections")
    assert found == [
        "ansible-playbook -i home closet.inference.expose -e scope=lan --limit 'a b'",
        "ansible -i home attic -b -m ping",
    ]


def test_without_the_inventory_of_the_environment(installed: Path) -> None:
    environment = {"ANSIBLE_COLLECTIONS_PATH": "collections", "ANSIBLE_INVENTORY": "home"}
    found = said(installed, **environment)
    assert found[0] == "ansible-playbook closet.inference.expose -e scope=lan --limit 'a b'"
    assert found[1] == "ansible attic -b -m ping"


def test_without_the_inventory_of_the_configuration(installed: Path) -> None:
    (installed / "ansible.cfg").write_text(
        "[defaults]\ninventory = home\ncollections_path = ./collections\n"
    )
    assert said(installed)[1] == "ansible attic -b -m ping"
    assert said(installed, "-i", "home")[1] == "ansible attic -b -m ping"


def test_by_path_where_the_collection_lies_beside_the_playbook_alone(installed: Path) -> None:
    found = said(installed, "-i", "home")
    assert found[0].split()[:4] == [
        "ansible-playbook", "-i", "home",
        "collections/ansible_collections/closet/inference/playbooks/expose.yml",
    ]  # fmt: skip

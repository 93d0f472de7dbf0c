# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner's files beside an inventory: each command, from the state that gave its sentence."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2
import pytest

from ansible_collections.closet.inference.plugins.action import api_keys
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import profile_choice
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import Invocation
from ansible_collections.closet.inference.plugins.plugin_utils.secrets import keys, private
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keys import (
    KeysRefusedError,
    Step,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keystore import KeyStore
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    SecretFileError,
    mend,
    read_secret,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_plan import Plan
from tests.unit.plugins.advice.pasted import acting_as, commands, lock, paste, unlock_all

ROOT = Path(__file__).parents[4]
OTHER = 12345
KEY = "0123456789abcdef0123456789abcdef01234567\n"


@pytest.fixture
def inventory(place: Path, nobody: int) -> Iterator[Path]:
    """An inventory in good order, of the account that runs."""
    folder = place / "my inventory"
    for name in (".secrets/attic", ".secrets/mcp", ".closet"):
        (folder / name).mkdir(parents=True, mode=0o700)
    (folder / ".secrets").chmod(0o700)
    (folder / ".closet").chmod(0o755)
    for name in (".secrets/attic.key", ".secrets/attic/air.key", ".closet/attic.json"):
        (folder / name).write_text(KEY)
        (folder / name).chmod(0o600)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, nobody)
    yield folder
    unlock_all(place)


def judged(inventory: Path, uid: int) -> Plan:
    with acting_as(uid):
        return private.judged([inventory], ["attic"], Invocation(), check_mode=False)


def a_link_to_nothing(inventory: Path) -> None:
    (inventory / ".secrets/attic.key").unlink()
    (inventory / ".secrets/attic.key").symlink_to("nowhere")


def a_link_to_a_file_outside(inventory: Path) -> None:
    key = inventory / ".secrets/attic.key"
    key.rename(inventory.parent / "my key")
    key.symlink_to(inventory.parent / "my key")


def a_link_to_a_folder_outside(inventory: Path) -> None:
    folder = inventory / ".secrets/attic"
    folder.rename(inventory.parent / "my keys")
    folder.symlink_to(inventory.parent / "my keys")


def a_folder_for_a_file(inventory: Path) -> None:
    (inventory / ".secrets/attic.key").unlink()
    (inventory / ".secrets/attic.key").mkdir()


def a_file_for_a_folder(inventory: Path) -> None:
    (inventory / ".secrets/mcp").rmdir()
    (inventory / ".secrets/mcp").write_text("kept")


def a_closed_key_of_root(inventory: Path) -> None:
    os.chown(inventory / ".secrets/attic.key", 0, 0)


def a_closed_folder_of_another(inventory: Path) -> None:
    os.chown(inventory / ".secrets/attic", OTHER, OTHER)


def an_open_key_of_another(inventory: Path) -> None:
    os.chown(inventory / ".secrets/attic/air.key", OTHER, OTHER)
    (inventory / ".secrets/attic/air.key").chmod(0o644)


def an_inventory_that_all_can_write(inventory: Path) -> None:
    inventory.chmod(0o777)


def an_inventory_of_root_that_a_group_can_write(inventory: Path) -> None:
    os.chown(inventory, 0, OTHER)
    inventory.chmod(0o775)


STATES = [
    a_link_to_nothing,
    a_link_to_a_file_outside,
    a_link_to_a_folder_outside,
    a_folder_for_a_file,
    a_file_for_a_folder,
    a_closed_key_of_root,
    a_closed_folder_of_another,
    an_open_key_of_another,
    an_inventory_that_all_can_write,
    an_inventory_of_root_that_a_group_can_write,
]


@pytest.mark.parametrize("put", STATES, ids=lambda put: put.__name__)
def test_the_commands_of_the_sentences_leave_nothing_to_say(
    inventory: Path, nobody: int, put: Callable[[Path], None]
) -> None:
    assert judged(inventory, nobody) == Plan()
    put(inventory)
    found = judged(inventory, nobody)
    assert found != Plan()
    for sentence in dict.fromkeys([*found.errors, *found.warnings]):
        for command in commands(sentence):
            paste(command)
    for path in inventory.rglob("*"):  # what is pasted with the owner's rights is the owner's
        if path.lstat().st_uid == 0:
            os.chown(path, nobody, nobody, follow_symlinks=False)
    left = judged(inventory, nobody)
    with acting_as(nobody):
        assert mend(left.repairs) == []  # the mode of what is ours now
    assert judged(inventory, nobody) == Plan()


def test_a_mode_that_is_locked_is_unlocked(inventory: Path, nobody: int) -> None:
    key = inventory / ".secrets/attic.key"
    key.chmod(0o644)
    lock(key)
    repairs = judged(inventory, nobody).repairs
    assert [one.path for one in repairs] == [key]
    with acting_as(nobody):
        [failed] = mend(repairs)
    [command] = commands(failed)
    paste(command)
    with acting_as(nobody):
        assert mend(repairs) == []
    assert judged(inventory, nobody) == Plan()


# --- a key, a choice, and the folder that holds them ----------------------------------------------


def test_a_secret_that_is_no_file_is_moved_away(inventory: Path) -> None:
    secret = inventory / "my token"
    secret.mkdir()
    with pytest.raises(SecretFileError) as raised:
        read_secret(secret)
    [command] = commands(str(raised.value))
    paste(command)
    with pytest.raises(FileNotFoundError):
        read_secret(secret)


def test_a_secret_that_cannot_be_read_is_shown(inventory: Path, nobody: int) -> None:
    os.chown(inventory / ".secrets/attic.key", OTHER, OTHER)
    with acting_as(nobody), pytest.raises(SecretFileError) as raised:
        read_secret(inventory / ".secrets/attic.key")
    [command] = commands(str(raised.value))
    assert re.match(rf"-rw-------\S* 1 {OTHER} {OTHER} ", paste(command))


@pytest.mark.parametrize("bad", ["", "short", "two\nlines"])
def test_a_key_of_ours_that_is_bad_is_removed_and_another_made(inventory: Path, bad: str) -> None:
    store = KeyStore(inventory / ".secrets", "attic")
    path = store.path("air")
    path.write_text(bad)
    place = str(path)
    [problem] = keys.errors({place: bad}, ours=[place])
    [command] = commands(problem)
    paste(command)
    store.apply(Step("create", "air"))
    assert keys.errors({place: store.stored()["air"]}, ours=[place]) == []


def test_a_key_of_the_owners_that_is_bad_gets_a_good_one() -> None:
    [problem] = keys.errors({"closet_api_key": "short"})
    [command] = commands(problem)
    assert keys.errors({"closet_api_key": paste(command).strip()}) == []


def test_a_key_that_leads_nowhere_is_removed(inventory: Path) -> None:
    store = KeyStore(inventory / ".secrets", "attic")
    a_link_to_nothing(inventory)
    with pytest.raises(KeysRefusedError) as raised:
        store.stored()
    [command] = commands(str(raised.value))
    paste(command)
    assert list(store.stored()) == ["air"]


def test_what_is_no_folder_of_keys_is_moved_away(inventory: Path) -> None:
    store = KeyStore(inventory / ".secrets", "attic")
    shutil.rmtree(inventory / ".secrets/attic")
    (inventory / ".secrets/attic").symlink_to(inventory)
    with pytest.raises(KeysRefusedError) as raised:
        store.apply(Step("create", "air"))
    [command] = commands(str(raised.value))
    paste(command)
    store.apply(Step("create", "air"))
    assert (inventory / ".secrets/attic.old").is_symlink()


def test_keys_of_another_account_are_taken_over(inventory: Path, nobody: int) -> None:
    store = KeyStore(inventory / ".secrets", "attic")
    for path in (inventory / ".secrets", *(inventory / ".secrets").rglob("*")):
        os.chown(path, OTHER, OTHER)
        path.chmod(0o755 if path.is_dir() else 0o644)
    with acting_as(nobody), pytest.raises(PermissionError) as raised:
        store.apply(Step("create", "pro"))
    [command] = commands(api_keys._not_changed(store, raised.value))
    paste(command, USER="nobody")
    with acting_as(nobody):
        store.apply(Step("create", "pro"))
        assert sorted(store.stored()) == ["air", "main", "pro"]


@pytest.mark.parametrize("choice", ["", "{}", "not JSON"])
def test_a_choice_that_cannot_be_read_is_removed(inventory: Path, choice: str) -> None:
    path = profile_choice.path_of(str(inventory), "attic")
    path.write_text(choice)
    sentence = profile_choice.unreadable(path, "(the way to choose)")
    assert sentence is not None
    remove, _choose = commands(sentence)
    paste(remove)
    assert profile_choice.unreadable(path, "") is None


def test_the_keys_of_an_account_that_is_gone_are_removed(inventory: Path) -> None:
    text = (ROOT / "playbooks/tasks/take_keys.yml").read_text()
    [words] = re.findall(r"__take_keys_words: >-\n((?: {6}.*\n)+)", text)
    environment = jinja2.Environment(autoescape=False)
    environment.filters["quote"] = shlex.quote
    left = inventory / ".secrets"
    sentence = environment.from_string(words).render(
        inventory_hostname="attic",
        take_keys_from={"account": "_closet", "path": str(left)},
        __take_keys_account={"rc": 1},
        __take_keys_path=str(left),
        __take_keys_dead="They are no longer valid.",
    )
    [command] = commands(sentence)
    paste(command)
    assert not left.exists()

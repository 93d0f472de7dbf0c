# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a message suggests: they do what they say when pasted where this run was started.

Pure. plugin_utils/this_run.py knows the run; a module on a host cannot, and is given the command.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLLECTION = "closet.inference"
# Of ansible-playbook and ansible alike: the key in their parsed options, the option itself, and the
# setting whose value it has when it was not given.
_VALUES = (
    ("remote_user", "-u", "DEFAULT_REMOTE_USER"),
    ("private_key_file", "--private-key", "DEFAULT_PRIVATE_KEY_FILE"),
    ("connection", "-c", "DEFAULT_TRANSPORT"),
    ("ssh_common_args", "--ssh-common-args", ""),
    ("ssh_extra_args", "--ssh-extra-args", ""),
    ("connection_password_file", "--connection-password-file", "CONNECTION_PASSWORD_FILE"),
    ("become_password_file", "--become-password-file", "BECOME_PASSWORD_FILE"),
)
_FLAGS = (
    ("ask_pass", "--ask-pass", "DEFAULT_ASK_PASS"),
    ("become_ask_pass", "--ask-become-pass", "DEFAULT_BECOME_ASK_PASS"),
    ("ask_vault_pass", "--ask-vault-pass", "DEFAULT_ASK_VAULT_PASS"),
)
_LISTS = (("vault_ids", "--vault-id"), ("vault_password_files", "--vault-password-file"))


@dataclass(frozen=True)
class Invocation:
    """How a person calls Ansible for this inventory.

    `options`: the inventory, and how hosts and vaults are entered. `folder`: where the checkout is,
    from the current folder on, with a slash at its end; None: the collection is installed. `bin`:
    the same of Ansible's programs, empty when they are on the PATH.
    """

    options: tuple[str, ...] = ()
    folder: str | None = ""
    bin: str = ""

    def playbook(self, name: str, *words: str) -> str:
        """The command that runs one of our playbooks."""
        if self.folder is None:
            book = f"{COLLECTION}.{name}"
        else:
            book = f"{self.folder}{'' if name == 'site' else 'playbooks/'}{name}.yml"
        return shlex.join([f"{self.bin}ansible-playbook", *self.options, book, *words])

    def expose(self, host: str, closets: int, scope: str = "lan", *words: str) -> str:
        """The command that confirms one of `closets` closets, or takes that back."""
        limit = ("--limit", host) if closets > 1 else ()
        return self.playbook("expose", "-e", f"scope={scope}", *words, *limit)

    def choose(self, profile: str, host: str, closets: int) -> str:
        """The command that chooses a profile for one of `closets` closets."""
        which = ("-e", f"closet={host}") if closets > 1 else ()
        return self.playbook("profile", "-e", f"profile={profile}", *which)

    def ad_hoc(self, pattern: str, *words: str) -> str:
        """The command that runs one module on hosts."""
        return shlex.join([f"{self.bin}ansible", *self.options, pattern, *words])


def options(given: Mapping[str, Any], defaults: Mapping[str, Any], here: str) -> tuple[str, ...]:
    """The words of a command line that another one about the same hosts needs too.

    Args:
        given: the parsed options, as ansible.context.CLIARGS has them.
        defaults: Ansible's settings by name, from ansible.cfg and the environment.
        here: the current folder.
    """
    words: list[str] = []
    sources = list(given.get("inventory") or ())
    if sources != list(defaults.get("DEFAULT_HOST_LIST") or ()):
        for source in sources:
            words += ["-i", source if "," in source else near(source, here)]
    for key, option, setting in _VALUES:
        value = given.get(key)
        if value and value != defaults.get(setting):
            words += [option, str(value)]
    words += [
        option for key, option, setting in _FLAGS if given.get(key) and not defaults.get(setting)
    ]
    for key, option in _LISTS:
        for value in given.get(key) or ():
            words += [option, str(value)]
    # a file of variables belongs to the inventory; a variable by itself was meant for one run
    for value in given.get("extra_vars") or ():
        words += ["-e", value] if str(value).startswith("@") else []
    return tuple(words)


def near(path: str, here: str) -> str:
    """A path as a person in the folder `here` writes it: relative when it is below that."""
    relative = os.path.relpath(path, here)
    return path if relative.startswith("..") else relative


def folder_of_checkout(
    root: str, books: tuple[str, ...], collections: tuple[str, ...], here: str
) -> str | None:
    """`folder` of an Invocation.

    Args:
        root: where the collection is, without links.
        books: the playbooks of this run, as they were given.
        collections: the folders in which Ansible looks for installed collections.
        here: the current folder.
    """
    if any(book.startswith(f"{COLLECTION}.") and not os.path.exists(book) for book in books):  # noqa: PTH110
        return None
    ours = any(os.path.realpath(os.path.join(here, book)).startswith(f"{root}/") for book in books)  # noqa: PTH118
    parts = COLLECTION.split(".")
    installed = any(
        os.path.realpath(os.path.join(found, "ansible_collections", *parts)) == root  # noqa: PTH118
        for found in collections
    )
    if installed and not ours:
        return None
    folder = near(root, os.path.realpath(here))
    return "" if folder == "." else f"{folder}/"

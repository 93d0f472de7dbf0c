# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How this run was started, for the commands that its messages suggest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants, context

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import parts
from ansible_collections.closet.inference.plugins.plugin_utils.invocation import (
    COLLECTION,
    Invocation,
    folder_of_checkout,
    options,
)

ROOT = Path(__file__).resolve().parents[2]


def invocation() -> Invocation:
    """The call of ansible-playbook (or ansible) that this process belongs to."""
    given: Mapping[str, Any] = context.CLIARGS
    here = _here()
    return Invocation(
        options(given, vars(constants), here),
        folder_of_checkout(str(ROOT), _books(given), tuple(constants.COLLECTIONS_PATHS), here),
        _bin(sys.argv[0]),
    )


def parts_errors() -> list[str]:
    """Why the parts that were asked for with --tags and --skip-tags are none."""
    given: Mapping[str, Any] = context.CLIARGS
    ours = [book for book in _books(given) if _is_ours(book)]
    return parts.errors(ours, given.get("tags") or (), given.get("skip_tags") or ())


def name_of_playbook() -> str:
    """The name of this run's playbook, such as site; '' when it is not ours or one of several."""
    books = _books(context.CLIARGS)
    return parts.name_of(books[0]) if len(books) == 1 and _is_ours(books[0]) else ""


def only_lists() -> bool:
    """Whether this run shows a playbook or checks its syntax, and plays nothing."""
    flags = ("listhosts", "listtasks", "listtags", "syntax")
    return any(context.CLIARGS.get(flag) for flag in flags)


def is_partial() -> bool:
    """Whether this run leaves out tasks that the playbook has."""
    given: Mapping[str, Any] = context.CLIARGS
    tags = {*(given.get("tags") or ())} - {"all"}
    return bool(tags or given.get("skip_tags") or given.get("start_at_task") or given.get("step"))


def leaves_out(play: str) -> bool:
    """Whether this run has nothing to do in one of the two plays of site.yml."""
    given: Mapping[str, Any] = context.CLIARGS
    return parts.leaves_out(play, given.get("tags") or (), given.get("skip_tags") or ())


def _is_ours(book: str) -> bool:
    """Whether it is one of those that we ship; another one in a checkout is its owner's."""
    path = Path(book).resolve()
    ours = path == ROOT / "site.yml" or path.parent == ROOT / "playbooks"
    return ours or book.startswith(f"{COLLECTION}.")


def _books(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The playbooks; of `ansible`, the only argument is a pattern of hosts."""
    args = given.get("args") or ()
    return () if isinstance(args, str) else tuple(map(str, args))


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return "/"  # a folder that is gone; then all paths are given from the root


def _bin(program: str) -> str:
    """Where Ansible's programs are, when the PATH does not lead there."""
    path = Path(program)
    if not path.name.startswith("ansible") or not path.is_absolute():
        return ""
    found = shutil.which("ansible-playbook")
    same = found is not None and Path(found).parent.resolve() == path.parent.resolve()
    return "" if same else f"{path.parent}/"

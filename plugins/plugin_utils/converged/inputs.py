# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a run of site.yml is made of on the controller, as one digest for each host.

The options of the host with their final values, how it is entered, what the inventory check made of
them, the owner's private files, and the collection itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import __version__
from ansible.errors import AnsibleError

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.hosts import Inventory

ROOT = Path(__file__).resolve().parents[3]
# How a host is entered. Other variables of Ansible's describe the run, such as its --limit.
CONNECTION = re.compile(
    r"ansible_(host|user|port|password|connection|python_interpreter|(become|ssh|remote|shell)_?.*)"
)
OURS = ("plugins", "roles", "playbooks")


def of_hosts(
    inventory: Inventory, made: Mapping[str, Any], private: Iterable[Path], find: Callable[..., str]
) -> dict[str, str]:
    """The digests by host.

    Args:
        inventory: hosts and variables.
        made: what the inventory check made of all of them together.
        private: folders of the owner's private files.
        find: the path of a file that an option names.
    """
    same = [__version__, made, list(map(_contents, private)), _collection()]
    same.append({name: str(inventory.extra_value(name)) for name in sorted(inventory.extra)})
    common = _digest(same)
    return {
        host: _digest([common, host, _options(inventory, host, find)]) for host in inventory.hosts
    }


def _options(inventory: Inventory, host: str, find: Callable[..., str]) -> dict[str, Any]:
    """The final values of a host's options, and the contents of the files that they name."""
    raw = inventory.raw[host]
    hostvars = inventory.hostvars[host]
    found: dict[str, Any] = {}
    for name in sorted(raw):
        if name in inventory.options or CONNECTION.fullmatch(name):
            try:
                found[name] = hostvars.get(name)
            except AnsibleError:  # made of what only the plays have
                found[name] = str(raw[name])
    files = {text: _content(Path(find(text))) for text in set(_texts(found)) if "/" in text}
    return {"values": found, "files": files}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value that could be paths."""
    if isinstance(value, str):
        yield from [value] if len(value) < os.pathconf("/", "PC_PATH_MAX") else []
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _content(path: Path) -> str:
    """The digest of a file; empty for anything else."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def _contents(folder: Path) -> dict[str, str]:
    """The digests of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): _content(path) for path in files}


def _collection() -> list[tuple[str, int, int]]:
    """The files of the collection with their sizes and times; an edit or an upgrade changes one."""
    found = []
    for part in OURS:
        for at, folders, names in os.walk(ROOT / part):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                state = os.stat(os.path.join(at, name))  # noqa: PTH116, PTH118
                found.append((f"{at}/{name}", state.st_size, state.st_mtime_ns))
    return sorted(found)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_ordered(value)).encode()).hexdigest()


def _ordered(value: Any) -> Any:
    """The value in one order, whatever the order of its keys and sets, for JSON."""
    if isinstance(value, Mapping):
        pairs = ([str(key), _ordered(inner)] for key, inner in value.items())
        return sorted(pairs, key=lambda pair: str(pair[0]))
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return [_ordered(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)

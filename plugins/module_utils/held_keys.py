# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API keys that remain in the folder of a server that is no longer used.

Runs with the rights of the folder's account, which may be hostile: a name may be a pipe, a link or
anything else. This module can do nothing that the account could not do itself.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.module_utils.key_holders import GATEWAY, OMLX

LARGEST = 4 * 1024 * 1024
SETTINGS = "settings.json"
# what Caddy itself keeps there; no key is in it, but the folder can go when it does
CADDY = ("caddy/instance.uuid", "caddy/last_clean.json")
# Files that are ours or omlx's own copies: the parts of names after which anything may follow.
WHOLE = {
    OMLX: (
        "mcp.json",
        "settings.json.",
        ".settings.json.",
        ".mcp.json.",
        "before-upgrade/settings.json",
        "before-upgrade/model_settings.json",
    ),
    GATEWAY: ("Caddyfile", ".Caddyfile.", "admin.sock", *CADDY),
}
EXACT = ("mcp.json", "Caddyfile", "admin.sock", *CADDY)
FOLDERS = {OMLX: ("before-upgrade",), GATEWAY: ("caddy/locks", "caddy", "")}
AUTH = ("api_key", "sub_keys", "secret_key")


@dataclass(frozen=True)
class Step:
    """One thing to do: `strip` keys from a settings file, or `remove` a file or an empty folder."""

    verb: str
    path: Path
    said: str
    content: bytes = b""


@dataclass(frozen=True)
class RemovalResult:
    """What was removed, or would be, and what could not be, with the reason."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def run(kind: str, folder: Path, check_mode: bool) -> RemovalResult:
    """Take the keys out of one folder."""
    steps, left = plan(kind, folder)
    removed = []
    for step in steps:
        try:
            if not check_mode:
                _apply(step)
            removed.append(step.said)
        except FileNotFoundError:
            continue
        except OSError as error:
            left.append(_reason(step.path, error))
    if not check_mode:
        _remove_empty(folder, FOLDERS[kind])
    return RemovalResult(tuple(removed), tuple(left))


def plan(kind: str, folder: Path) -> tuple[list[Step], list[str]]:
    """The steps for the folder, and the entries that cannot be read, with the reasons."""
    steps: list[Step] = []
    left: list[str] = []
    for inner in ("", *filter(None, FOLDERS[kind])):
        try:
            names = sorted(path.name for path in (folder / inner).iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            left.append(_reason(folder / inner, error))
            break
        for name in names:
            within = f"{inner}/{name}" if inner else name
            try:
                step = _step(kind, folder / within, within)
            except OSError as error:
                left.append(_reason(folder / within, error))
                continue
            steps += [step] if step else []
    return steps, left


def _step(kind: str, path: Path, within: str) -> Step | None:
    if (kind, within) == (OMLX, SETTINGS):
        return _settings(path)
    ours = any(
        within == known if known in EXACT else within.startswith(known) for known in WHOLE[kind]
    )
    return Step("remove", path, within) if ours and not path.is_dir() else None


def _reason(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror or error}"


def stripped(document: Any) -> Any:
    """Settings of omlx without the keys, and on loopback alone, or None when there is no change.

    Without a key an omlx that the account starts by itself must not listen on the LAN.
    """
    if not isinstance(document, dict) or not isinstance(document.get("auth"), dict):
        return None
    auth = {key: value for key, value in document["auth"].items() if key not in AUTH}
    if len(auth) == len(document["auth"]):
        return None
    server = document.get("server")
    if not isinstance(server, dict):
        return {**document, "auth": auth}
    return {**document, "auth": auth, "server": {**server, "host": ["127.0.0.1"]}}


def _settings(path: Path) -> Step | None:
    end = Path(os.path.realpath(path))  # a link of the account's own leads to where the keys are
    descriptor = os.open(end, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Step("remove", path, SETTINGS)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(LARGEST + 1)
    try:
        document = stripped(json.loads(content))
        text = json.dumps(document, indent=2)
    except (ValueError, RecursionError):
        return Step("remove", end, SETTINGS)  # no server reads it any more, and it may have keys
    if document is None:
        return None
    return Step("strip", end, f"the keys in {SETTINGS}", f"{text}\n".encode())


def _apply(step: Step) -> None:
    if step.verb == "strip":
        write_atomic(step.path, step.content, 0o600)
    else:
        step.path.unlink()


def _remove_empty(folder: Path, inner: tuple[str, ...]) -> None:
    for name in inner:
        try:
            (folder / name).rmdir()
        except OSError:
            continue  # not there, or something of the account's own is in it

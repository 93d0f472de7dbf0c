# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Auth keys of the tailnet: their places and their checks.

A key is in the inventory, encrypted, or in a private file beside it. No message and no result has a
key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    SecretFileError,
    read_secret,
)
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.nodes import (
    KEY,
    SERVER,
    Node,
)

SUFFIX = ".authkey"
# Tailscale's own: an auth key, and the secret of an OAuth client, which makes one
TAILSCALE = ("tskey-auth-", "tskey-client-")
HEADSCALE = "hskey-"


@dataclass(frozen=True)
class Found:
    """The place of a node's key; `file` is empty if it is in the inventory or missing."""

    place: str = ""
    file: str = ""


def files(folder: Path, node: Node) -> list[Path]:
    """The files for a node's key, in order: the file of its group, the file of all nodes."""
    return [folder / f"tailnet-{node.group}{SUFFIX}", folder / f"tailnet{SUFFIX}"]


def find(node: Node, said: Mapping[str, Any], folder: Path) -> tuple[Found, list[str]]:
    """The key of a node, and its errors. Without a key both are empty."""
    if said.get(KEY):
        place = f"{node.host}: {KEY}"
        return Found(place), _complaints(place, str(said[KEY]), node)
    for path in files(folder, node):
        try:
            key = read_secret(path)
        except FileNotFoundError:
            continue
        except SecretFileError as error:
            return Found(), [str(error)]
        return Found(str(path), str(path)), _complaints(str(path), key, node)
    return Found(), []


def missing(node: Node, folder: str) -> str:
    """The error about a node that is not logged in and has no key."""
    first = files(Path(folder), node)[0]
    return (
        f"{node.host} is not logged in to the tailnet {node.domain}, and there is no key for it: "
        f"make one with {', '.join(node.tags)} at {_where(node)} and put it into {first} (mode "
        f"0600), or into {KEY}, encrypted"
    )


def error(state: str, node: Mapping[str, Any]) -> str | None:
    """Why a probed host cannot log in, or None; an unknown state is no reason.

    Args:
        state: empty without Tailscale, `found`, or `found` and the state of the node.
        node: the values of the node for playbooks, empty outside the tailnet.
    """
    if not node or node["key"] or not node["needs_key"]:
        return None
    return str(node["no_key"]) if state in ("", "found NeedsLogin") else None


def _where(node: Node) -> str:
    if node.server:
        return f"{node.server} (headscale preauthkeys create)"
    return "https://login.tailscale.com/admin/settings/keys"


def _complaints(place: str, key: str, node: Node) -> list[str]:
    if not key:
        return [f"{place} is empty, and an auth key of the tailnet is expected there"]
    if not key.isascii() or not key.isprintable() or " " in key:
        return [f"{place} is not one auth key: one line of letters, digits and - is expected there"]
    if node.server and key.startswith(TAILSCALE):
        return [
            f"{place} is a key of Tailscale's own control server, and {SERVER} is {node.server}: "
            "take a key from there"
        ]
    if not node.server and key.startswith(HEADSCALE):
        return [
            f"{place} is a key of a headscale, and the control server is Tailscale's own: say "
            f"which headscale with {SERVER}"
        ]
    return []

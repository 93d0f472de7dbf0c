# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reasons to refuse a change, each with a sentence that says what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    TAILSCALE_SERVER,
    Entry,
    Have,
    NodeError,
    Want,
    same_server,
)

TAG = re.compile(r"tag:[a-zA-Z][a-zA-Z0-9-]*")  # tailcfg.CheckTag
LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost):(\d{1,5})")
NOTHING = "Nothing was changed."
MAKE_KEY = (
    "Make one (Tailscale: admin console > Settings > Keys; headscale: `headscale preauthkeys "
    "create`), put it where tailscale_auth_key comes from, and run again"
)


def words(params: Mapping[str, Any]) -> None:
    """Refuse invalid options, all in one error."""
    found = [*_names(params), *_key_words(params), *_serve_words(params.get("serve") or ())]
    if found:
        raise NodeError(f"{'; '.join(found)}. {NOTHING}")


def state(have: Have) -> None:
    """Refuse states that the module cannot change."""
    if have.state == "NeedsMachineAuth":
        raise NodeError(
            f"this host has logged in to {have.server}, and waits there for approval. "
            "Give it (Tailscale: admin console > Machines; headscale: `headscale nodes list`, then "
            "`headscale auth approve`), or use a key that is pre-approved; then run again"
        )
    if have.state in ("", "NoState"):
        raise NodeError(
            "tailscaled runs on this host and does not know its own state: it cannot read it, or "
            "is still starting. Read the end of its log: "
            f"`sudo tail /var/log/closet/tailscale/tailscaled.log`; then run again. {NOTHING}"
        )
    if have.state == "InUseOtherUser":
        raise NodeError(
            "another user of this host holds its Tailscale: log that user out of it. " + NOTHING
        )


def key(want: Want, have: Have) -> None:
    """Refuse a login for which there is no key."""
    if want.key:
        return
    why = "this host is not logged in to its tailnet"
    if have.has_key and have.state == "NeedsLogin":
        why = "the key of this node has ended, or the control server has removed the node"
    if have.has_key and have.state in ("Running", "Starting", "Stopped"):
        why = "a login was asked for (another tailnet, or other tags)"
    raise NodeError(f"{why}, and there is no auth key to log in with. {MAKE_KEY}. {NOTHING}")


def tailnet(want: Want, have: Have) -> None:
    """Refuse to leave one control server for another that was not asked for by name."""
    if want.change_tailnet:
        return
    raise NodeError(
        f"this host is a node of {have.server}, and {want.server} is wanted. Leaving the one for "
        "the other changes its address and its name, and is done only when it is said: run once "
        f"with -e tailscale_change_tailnet=true. {NOTHING}"
    )


def tags(want: Want, have: Have) -> None:
    """Refuse other tags, unless a new login was asked for."""
    if want.reauthenticate:
        return
    raise NodeError(
        f"this node has {_listed(have.tags, 'no tags')}, and {_listed(want.tags)} is wanted. Tags "
        "come with a login and never otherwise: run once with -e tailscale_reauthenticate=true and "
        f"a key for these tags. Its address stays. {NOTHING}"
    )


def port(entry: Entry, there: Sequence[Entry]) -> NoReturn:
    """Refuse a port with an unmanaged entry."""
    flag = there[0].protocol if there[0].protocol in ("http", "https") else "tcp"
    raise NodeError(
        f"port {entry.port} of this node already serves {there[0].words}, which is not ours. Take "
        f"it away (`tailscale serve --{flag}={entry.port} off`) or choose another port in "
        f"tailscale_serve. {NOTHING}"
    )


def certificate(entry: Entry, have: Have) -> None:
    """Refuse https where the control server gives no certificate; not known before a login."""
    if entry.protocol != "https" or have.certificates or not have.addresses:
        return
    raise NodeError(
        f"https on port {entry.port} needs a certificate, and {have.server} offers this node none "
        "(Tailscale: admin console > DNS > HTTPS Certificates; headscale has none). Say protocol: "
        f"tcp or http for it in tailscale_serve; the tailnet encrypts it anyway. {NOTHING}"
    )


def cut(want: Want, cutting: Sequence[str]) -> NoReturn:
    """Refuse what may end the ssh connection of this very run."""
    raise NodeError(
        f"this run came in through the tailnet, at {want.reached_at}, and what is to be done may "
        f"cut that connection: {'; '.join(cutting)}. Reach this host by another address (its LAN "
        "name as ansible_host), or run once with -e tailscale_may_cut_connection=true. " + NOTHING
    )


def person(want: Want, have: Have) -> str:
    """What a person has to do at the screen before the app is as wanted; empty for nothing."""
    server = "" if same_server(want.server, TAILSCALE_SERVER) else f" to {want.server}"
    if not have.state:
        return (
            "Tailscale.app is not there, or not running: install it (App Store, or "
            "tailscale.com/download), open it, allow its VPN configuration, and log in" + server
        )
    if have.state == "NeedsMachineAuth":
        return "this laptop has to be approved in the list of machines of the control server"
    if have.state == "Stopped":
        return "Tailscale.app is switched off: connect it from its menu"
    if have.state not in ("Running", "Starting"):
        return f"Tailscale.app is not logged in: log in{server} from its menu"
    if not same_server(have.server, want.server):
        return (
            f"Tailscale.app is logged in to {have.server}: log out of it, and in to {want.server}"
        )
    if want.tags and set(want.tags) != set(have.tags):
        return (
            f"this laptop has {_listed(have.tags, 'no tags')} and not {_listed(want.tags)}: tags "
            "of the app's node are given in the control server's list of machines"
        )
    return ""


def _names(params: Mapping[str, Any]) -> list[str]:
    found = [
        f"tailscale_tags has '{tag}': a tag is tag: and letters, digits and dashes"
        for tag in params.get("tags") or ()
        if not TAG.fullmatch(tag)
    ]
    name = params.get("hostname") or ""
    if name and not all(LABEL.fullmatch(label) for label in name.split(".")):
        found.append(f"tailscale_hostname is '{name}': letters, digits and dashes can be in it")
    server = params.get("login_server") or ""
    if server and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", server):
        found.append(f"tailscale_login_server is '{server}': it is https:// and a host name")
    return found


def _key_words(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the key; the key itself is never in a sentence."""
    key_text, server = params.get("auth_key") or "", params.get("login_server") or ""
    if not key_text:
        return []
    if re.search(r"\s", key_text):
        return ["tailscale_auth_key has white space in it, so it is no key: is it the right file?"]
    own = not server or any(same_server(server, name) for name in (TAILSCALE_SERVER,))
    if key_text.startswith("tskey-api-"):
        return ["tailscale_auth_key is a key for Tailscale's API: make an auth key"]
    if own and not key_text.startswith(("tskey-auth-", "tskey-client-")):
        return ["tailscale_auth_key does not begin with tskey-auth- or tskey-client-: is it whole?"]
    if not key_text.startswith("tskey-client-"):
        return []
    if not own:
        return [
            f"tailscale_auth_key is the secret of an OAuth client, which {server} does not take"
        ]
    if not params.get("tags"):
        return ["tailscale_auth_key is the secret of an OAuth client, and needs tailscale_tags"]
    return []


def _serve_words(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    found, ports = [], set()
    for entry in entries:
        number, to = int(entry["port"]), str(entry["to"])
        if not 0 < number < 65536:
            found.append(f"tailscale_serve has port {number}: 1 to 65535 can be one")
        if number in ports:
            found.append(f"tailscale_serve has port {number} twice")
        ports.add(number)
        target = LOOPBACK.fullmatch(to)
        if not target or not 0 < int(target[2]) < 65536:
            found.append(
                f"tailscale_serve sends port {number} to '{to}': it can be 127.0.0.1 and a port"
            )
    return found


def _listed(names: Sequence[str], none: str = "none") -> str:
    return ", ".join(sorted(names)) or none

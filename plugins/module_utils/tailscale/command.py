# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines of tailscale that this module uses, and the one place that runs them.

An auth key goes through standard input (`--auth-key=file:/dev/stdin`): into no argument, no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.runner import (
    RC_NOT_EXECUTABLE,
    RC_NOT_FOUND,
    Completed,
    Runner,
)
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import (
    PREFERENCES,
    TAILSCALE_SERVER,
    Entry,
    Step,
    Want,
    same_server,
)

APP = "/Applications/Tailscale.app/Contents/MacOS/Tailscale"
# The app's program is the app itself unless it is told so.
APP_ENVIRONMENT = {"TAILSCALE_BE_CLI": "1"}
NEVER_ASK = "--accept-risk=lose-ssh"  # the plan has decided, and the run cannot answer a question


@dataclass(frozen=True)
class Command:
    """The tailscale command of one host."""

    runner: Runner
    program: str
    socket: str = ""

    def run(self, *words: str, timeout_s: float = 30, key: str | None = None) -> Completed:
        """Run it with these words; the key is what it reads from its standard input."""
        named = [f"--socket={self.socket}"] if self.socket else []
        environment = None if self.socket else APP_ENVIRONMENT
        return self.runner.run(
            [self.program, *named, *words], timeout_s=timeout_s, input=key, env=environment
        )


def is_missing(done: Completed) -> bool:
    """Whether there is no such program."""
    return done.rc in (RC_NOT_FOUND, RC_NOT_EXECUTABLE)


def up_words(step: Step, want: Want, prefs: Mapping[str, Any], timeout_s: float) -> list[str]:
    """The arguments of `up`, for a login or a new login.

    `up` resets every preference that it does not name. So the arguments name all preferences that
    differ from their defaults, including those that another program has set.
    """
    words = ["up", "--auth-key=file:/dev/stdin", f"--timeout={int(timeout_s)}s"]
    # a node key that has ended is only replaced when that is said (seen with headscale: "regen=true
    # but server says NodeKeyExpired")
    if step.kind == "reauthenticate" or step.renews:
        words += ["--force-reauth", NEVER_ASK]
    own = same_server(want.server, TAILSCALE_SERVER)
    words += [] if own else [f"--login-server={want.server}"]
    # headscale takes tags from the key alone, and refuses a request for them
    tags = want.tags if own else ()
    if tags or prefs.get("AdvertiseTags"):
        words.append(f"--advertise-tags={','.join(tags)}")
    return words + _kept(prefs)


def key_text(key: str) -> str:
    """The key as the command reads it; a node by an OAuth secret is ephemeral unless it is told."""
    plain = key.startswith("tskey-client-") and "?" not in key
    return f"{key}?ephemeral=false&preauthorized=true" if plain else key


def set_words(step: Step) -> list[str]:
    """`set` naming the one preference that differs."""
    flag = PREFERENCES[step.pref][1]
    risk = [NEVER_ASK] if step.pref == "ssh" else []
    return ["set", f"--{flag}={_text(step.value)}", *risk]


def serve_words(entry: Entry) -> list[str]:
    """`serve` for one port, in the background, so that it outlives the command and a reboot."""
    scheme = "tcp" if entry.protocol == "tcp" else "http"
    return ["serve", "--bg", "--yes", f"--{entry.protocol}={entry.port}", f"{scheme}://{entry.to}"]


def unserve_words(entry: Entry) -> list[str]:
    """The end of one port's service."""
    path = [f"--set-path={entry.path}"] if entry.path != "/" else []
    kind = entry.protocol.partition("+")[0]
    return ["serve", f"--{kind}={entry.port}", *path, "off"]


def _kept(prefs: Mapping[str, Any]) -> list[str]:
    """Flags of `up` for what is not as by default (newUpFlagSet in cmd/tailscale/cli/up.go)."""
    routes = [route for route in prefs.get("AdvertiseRoutes") or () if not route.endswith("/0")]
    exits = any(route.endswith("/0") for route in prefs.get("AdvertiseRoutes") or ())
    exit_node = prefs.get("AutoExitNode") and f"auto:{prefs['AutoExitNode']}"
    flags = {
        "hostname": prefs.get("Hostname"),
        "shields-up": prefs.get("ShieldsUp"),
        "ssh": prefs.get("RunSSH"),
        "accept-routes": prefs.get("RouteAll"),
        "advertise-routes": ",".join(routes),
        "advertise-exit-node": exits,
        "advertise-connector": (prefs.get("AppConnector") or {}).get("Advertise"),
        "report-posture": prefs.get("PostureChecking"),
        "operator": prefs.get("OperatorUser"),
        "exit-node": exit_node or prefs.get("ExitNodeIP"),
        "exit-node-allow-lan-access": prefs.get("ExitNodeAllowLANAccess"),
    }
    words = [f"--{flag}={_text(value)}" for flag, value in flags.items() if value]
    return words + ([] if prefs.get("CorpDNS", True) else ["--accept-dns=false"])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a step failed, from the output of the command and the health of the daemon. Pure.

Answers of control servers: Tailscale's from its documentation, headscale's from its source (0.29)
and from the lab.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ansible_collections.closet.inference.plugins.module_utils.runner import Completed
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import Have, Want

MAKE_KEY = (
    "make a new one (Tailscale: admin console > Settings > Keys; headscale: `headscale preauthkeys "
    "create`), put it where tailscale_auth_key comes from, and run again"
)
FORGET = (
    "remove that node there (`headscale nodes list`, `headscale nodes delete --identifier N`), "
    "then run again"
)
# The first that matches what was said is the reason; {server} is the control server.
REASONS: Sequence[tuple[str, str]] = (
    (
        r"x509|certificate|tls:",
        "the certificate of {server} is not one that this host trusts, so nothing was sent to it. "
        "Check it: `curl -v '{server}/key?v=1'`; correct the server's certificate, or its name "
        "or port in tailscale_login_server",
    ),
    (
        r"NodeKeyExpired",
        "the control server holds an older login of this host for expired. headscale (0.29, its "
        "issue 3371) does not take back a node with tags that was logged out or has expired, by no "
        "key: " + FORGET,
    ),
    (
        r"expired",
        "the auth key has expired: " + MAKE_KEY,
    ),
    (
        r"already used|been used|single.?use",
        "the auth key was good for one login and has been used: " + MAKE_KEY + ". If this was its "
        "first login, either tailscale, which asks twice when it logs in anew, spent it on an "
        "answer that it did not wait for; or headscale still has an older node of this host with "
        "tags: " + FORGET,
    ),
    (
        r"requested tags|tags? .*(invalid|not permitted|not owned)",
        "the control server does not let this key give the tags {tags}: make a key for these tags, "
        "or let the policy file's tagOwners own them",
    ),
    (
        r"invalid (auth)?.?key|(auth|pre).?key.*(not found|not exist|invalid|unknown)|unauthorized",
        "the control server {server} does not know the auth key: " + MAKE_KEY,
    ),
    (
        r"connection refused|no such host|time(d )?.?out|unreachable|no route|deadline|EOF|reset",
        "the control server {server} does not answer. Is it up, and is this the right address? "
        "Try: `curl -v '{server}/key?v=1'`",
    ),
)
_LAST_LOGIN = re.compile(r"last login error was: (.*)", re.DOTALL)


def login(want: Want, done: Completed, have: Have | None, key: str) -> str:
    """Why a login did not end in a node that runs."""
    said = _said(done, have)
    if key:  # no output of the command has it; should one ever have it, this does not
        said = said.replace(key, "(the key)")
    if have is not None and have.state == "NeedsMachineAuth":
        return (
            f"this host has logged in to {want.server}, and waits there for approval "
            "(Tailscale: admin console > Machines). Approve it, then run again; a pre-approved "
            "key needs no approval"
        )
    reason = _reason(said).format(server=want.server, tags=", ".join(want.tags) or "that it has")
    told = f" (tailscale says: {said})" if said else ""
    return f"the login to {want.server} failed: {reason}{told}. Nothing else was changed"


def step(says: str, done: Completed) -> str:
    """Why another step failed, in the command's own words."""
    how = "did not end in time" if done.timed_out else f"ended with {done.rc}"
    said = _plain(f"{done.stderr} {done.stdout}")
    words = " ".join(done.argv[1:])
    return f"could not {says}: `tailscale {words}` {how}{f': {said}' if said else ''}"


def warnings(have: Have) -> list[str]:
    """Warnings for the owner of a node that has its wanted state."""
    found = []
    if any("coordination server" in line for line in have.health) or have.state == "Starting":
        found.append(
            f"this node does not reach its control server, {have.server}. It goes on with what it "
            f"knows, and learns nothing new until then. Try: "
            f"`curl -v {shlex.quote(have.server + '/key?v=1')}`"
        )
    if have.unseen:
        found.append(
            f"this node runs, and {have.server} does not see it: the server is down, or "
            "the node was removed there. If so, run once with "
            "-e tailscale_reauthenticate=true and an auth key"
        )
    return found


def tags_given(want: Want, have: Have) -> str:
    """The login worked, and the node has other tags all the same."""
    has = ", ".join(have.tags) or "no tags"
    return (
        f"this node is logged in to {want.server}, which gave it {has} and not "
        f"{', '.join(want.tags)}. The tags come with the auth key: make one for these tags and run "
        "once with -e tailscale_reauthenticate=true. headscale leaves a node that has tags the "
        "ones it has: there, `headscale nodes tag --identifier N --tags ...`"
    )


def _reason(said: str) -> str:
    for pattern, reason in REASONS:
        if re.search(pattern, said, re.IGNORECASE):
            return reason
    return "the reason is not one that is known here"


def _said(done: Completed, have: Have | None) -> str:
    """The command's own reason, or the daemon's last one, which may be of an older login."""
    if "backend error:" in done.stderr:
        return _plain(done.stderr)
    for line in have.health if have is not None else ():
        found = _LAST_LOGIN.search(line)
        if found:
            return _plain(found[1])
    return _plain(f"{done.stderr} {done.stdout}")


def _plain(text: str) -> str:
    return " ".join(text.split())[-400:]

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a control server for its public key before a login.

After a failed login the daemon continues to try, and about an unreachable server it reports only
that it waits. The curl of the system trusts the same certificates as tailscaled, and its exit codes
distinguish the reasons (curl(1), EXIT CODES).
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import NodeError

CURL = "/usr/bin/curl"
TIMEOUT_S = 10
PATH = "/key?v=1"  # where every control server has its public key
CHECK = "Check it from this host: `curl -v '{server}" + PATH + "'`"
WHERE = "is that the right name in tailscale_login_server?"
REASONS: Mapping[int, str] = {
    6: "has no address here: " + WHERE,
    7: "does not answer: is it up, and " + WHERE,
    28: f"has not answered within {TIMEOUT_S} s: is it up, and reachable from here?",
    35: "does not speak TLS as it should: " + WHERE,
    51: "has a certificate for another name: " + WHERE,
    52: "answers with nothing: " + WHERE,
    56: "breaks the connection off: is it up, and " + WHERE,
    60: (
        "has a certificate that this host does not trust: it is for another name, has expired, or "
        "is of an authority that the system does not know"
    ),
}


def refuse_an_unfit_server(runner: Runner, server: str) -> None:
    """Raise NodeError if no login can succeed; the login itself finds the other causes."""
    url = server.rstrip("/") + PATH
    words = [CURL, "-sS", "-o", "/dev/null", "-m", str(TIMEOUT_S), url]
    done = runner.run(words, timeout_s=TIMEOUT_S + 5)
    reason = REASONS.get(done.rc)
    if reason is None:
        return
    raise NodeError(
        f"the control server {server} {reason}{_said(done)}. {CHECK.format(server=server)}. "
        "Nothing was changed."
    )


def _said(done: Completed) -> str:
    said = " ".join(done.stderr.split())[:200]
    return f" ({said})" if said else ""

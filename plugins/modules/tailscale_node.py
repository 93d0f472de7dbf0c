# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tailscale_node
short_description: This host as a node of a tailnet
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads what C(tailscale status), C(tailscale debug prefs) and C(tailscale serve status) say, logs
    in only when the host is not logged in, and sets what differs, one preference at a time, with
    C(tailscale set). A host that runs is never told C(tailscale up), which would put back whatever
    it does not name.
  - The daemon has to run already. M(closet.inference.launchd_job) is what runs it.
  - What differs and may not be changed without being asked for (tags, the tailnet, what would cut
    the ssh connection of the run) is refused before anything else is changed.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: Where the daemon does not run yet, a login and everything that follows from it.
  diff_mode:
    description: Shows the login, the preferences and what is served, before and after.
options:
  state:
    description:
      - V(present) is logged in, with the settings below.
      - V(absent) is logged out. The control server then no longer takes the node's key; the entry
        in its list of machines stays until somebody removes it there.
    type: str
    choices: [present, absent]
    default: present
  variant:
    description:
      - V(tailscaled) is the open-source daemon, reached through O(socket).
      - V(app) is the app, reached through the command line inside of it, by the person who is
        logged in to the Mac. It is not logged in and not logged out; what is left to do for a
        person is a warning, and RV(person).
    type: str
    choices: [tailscaled, app]
    default: tailscaled
  program:
    description:
      - Path of the C(tailscale) command. For O(variant=app) the default is the one inside of it,
        V(/Applications/Tailscale.app/Contents/MacOS/Tailscale).
    type: path
  socket:
    description:
      - The daemon's socket. It is always named to the command, which otherwise looks first for an
        app that may have been there once (tailscale issue 5761).
    type: path
    default: /var/run/tailscaled.socket
  login_server:
    description: Address of the control server; empty is Tailscale's own.
    type: str
    default: ""
  auth_key:
    description:
      - What to log in with, an auth key or the secret of an OAuth client. It is read only when a
        login is needed, and is handed to the command through its standard input; it is in no file,
        no argument list, no output.
      - The secret of an OAuth client that says nothing else gets
        C(?ephemeral=false&preauthorized=true), since Tailscale forgets an ephemeral node that is
        away for a while.
    type: str
  tags:
    description:
      - The tags of the node, given at a login. When a node that is logged in has others, that is an
        error that says so, unless O(reauthenticate=true). Empty leaves them alone.
    type: list
    elements: str
    default: []
  hostname:
    description:
      - Name of the node; an empty one leaves it to the system's own. Left alone when not given.
    type: str
  accept_dns:
    description: Whether names of the tailnet are used. Left alone when not given.
    type: bool
  accept_routes:
    description: Whether routes that other nodes offer are used. Left alone when not given.
    type: bool
  ssh:
    description: Whether Tailscale answers ssh at its own address. Left alone when not given.
    type: bool
  shields_up:
    description: Whether connections from the tailnet are refused. Left alone when not given.
    type: bool
  serve:
    description:
      - What this node serves to its tailnet. Left alone when not given; an empty list takes away
        what this module served before.
      - Which entries are ours is kept in O(serve_record). Those of others stay, and are named in
        RV(serve_others); one on a port that is wanted here is an error.
    type: list
    elements: dict
    suboptions:
      port:
        description: Port of the node's address in the tailnet.
        type: int
        required: true
      to:
        description: Where connections go, host and port, such as V(127.0.0.1:8000).
        type: str
        required: true
      protocol:
        description:
          - V(tcp) passes bytes on. V(http) and V(https) serve the node's name, V(https) with a
            certificate that the control server has to offer.
        type: str
        choices: [tcp, http, https]
        default: tcp
  serve_record:
    description: The file that keeps which entries of O(serve) are ours. It is gone when none is.
    type: path
    default: /opt/closet/state/tailscale-serve.json
  change_tailnet:
    description:
      - Whether a node that is logged in to another control server may be logged out there, and in
        at O(login_server) with O(auth_key). Its address changes.
    type: bool
    default: false
  reauthenticate:
    description: Whether a node that is logged in may log in again to get other O(tags).
    type: bool
    default: false
  reached_at:
    description:
      - The address of this host at which the run's ssh connection arrives. When it is one of the
        tailnet, what could cut that connection is refused.
    type: str
    default: ""
  may_cut_connection:
    description: Whether it is done all the same.
    type: bool
    default: false
  timeout_s:
    description: Seconds that a login may take, and that a daemon that has just started gets.
    type: float
    default: 60.0
notes:
  - The configuration file of tailscaled (C(--config), C(alpha0)) is not used. docs/tailscale.md
    says why.
seealso:
  - module: closet.inference.launchd_job
"""

EXAMPLES = r"""
- name: Be in the tailnet
  closet.inference.tailscale_node:
    program: /opt/closet/tailscale/1.102.4/bin/tailscale
    auth_key: "{{ tailnet_key }}"
    tags: [tag:closet]
    hostname: attic
    accept_dns: true
    ssh: false
    serve:
      - {port: 8000, to: "127.0.0.1:8000"}
  become: true

- name: Leave it
  closet.inference.tailscale_node:
    program: /opt/closet/tailscale/1.102.4/bin/tailscale
    state: absent
  become: true
"""

RETURN = r"""
backend_state:
  description: What the daemon says of itself, such as V(Running) or V(NeedsLogin); in check mode as
    it would be.
  returned: success
  type: str
  sample: Running
addresses:
  description: The node's addresses in the tailnet, the IPv4 one first.
  returned: success
  type: list
  elements: str
  sample: [100.64.0.1, "fd7a:115c:a1e0::1"]
dns_name:
  description: Its full name in the tailnet, without a dot at the end.
  returned: success
  type: str
  sample: attic.tail1234.ts.net
tags:
  description: Its tags, as the control server has them.
  returned: success
  type: list
  elements: str
  sample: [tag:closet]
key_expiry:
  description: When its key ends, in UTC; empty when it does not.
  returned: success
  type: str
  sample: "2027-05-22T19:42:11Z"
serve_urls:
  description: Where what it serves is reached from the tailnet, in the order of O(serve).
  returned: success
  type: list
  elements: str
  sample: ["http://attic.tail1234.ts.net:8000"]
serve_others:
  description: What it serves besides, set up by somebody else and left alone.
  returned: success
  type: list
  elements: str
  sample: ["https 443 / -> http://127.0.0.1:3000"]
steps:
  description: What was done, or would be, in this order; no secret is in it.
  returned: success
  type: list
  elements: str
  sample: ["log in to https://headscale.example.net", "serve tcp 8000 to 127.0.0.1:8000"]
person:
  description: What is left for a person to do, with O(variant=app); empty otherwise.
  returned: success
  type: str
  sample: "open Tailscale.app and log in"
"""

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import NodeError
from ansible_collections.closet.inference.plugins.module_utils.tailscale.run import execute

ENTRY = {
    "port": {"type": "int", "required": True},
    "to": {"type": "str", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "http", "https"], "default": "tcp"},
}
OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "variant": {"type": "str", "choices": ["tailscaled", "app"], "default": "tailscaled"},
    "program": {"type": "path"},
    "socket": {"type": "path", "default": "/var/run/tailscaled.socket"},
    "login_server": {"type": "str", "default": ""},
    "auth_key": {"type": "str", "no_log": True},
    "tags": {"type": "list", "elements": "str", "default": []},
    "hostname": {"type": "str"},
    "accept_dns": {"type": "bool"},
    "accept_routes": {"type": "bool"},
    "ssh": {"type": "bool"},
    "shields_up": {"type": "bool"},
    "serve": {"type": "list", "elements": "dict", "options": ENTRY},
    "serve_record": {"type": "path", "default": "/opt/closet/state/tailscale-serve.json"},
    "change_tailnet": {"type": "bool", "default": False},
    "reauthenticate": {"type": "bool", "default": False},
    "reached_at": {"type": "str", "default": ""},
    "may_cut_connection": {"type": "bool", "default": False},
    "timeout_s": {"type": "float", "default": 60.0},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The node as it is to be."""
    result, warnings = execute(options, Runner(), check_mode)
    return {**result, "warnings": warnings}


MODULE = Module(
    OPTIONS,
    work,
    (NodeError,),
    constraints={"required_if": [["variant", "tailscaled", ["program"]]]},
)


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

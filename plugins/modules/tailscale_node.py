# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tailscale_node
short_description: Manage this host as a node of a tailnet
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - Reads C(tailscale status), C(tailscale debug prefs) and C(tailscale serve status). Logs in only
    if the host is not logged in, and corrects each differing preference with C(tailscale set).
    Never runs C(tailscale up) on a running node, because that resets all preferences that it does
    not name.
  - The daemon must already run. M(closet.inference.launchd_job) can start it.
  - Some changes need an explicit option, namely other tags, another tailnet, and changes that would
    cut the ssh connection of the run. Without the option, the module refuses them before it changes
    anything.
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: If the daemon does not run yet, reports the login and all changes after it.
  diff_mode:
    description: Shows the login, the preferences and the served ports, before and after.
options:
  state:
    description:
      - V(present) is a node that is logged in, with the settings below.
      - V(absent) is a node that is logged out. The control server then refuses the key of the node.
        The entry in its list of machines stays until a person deletes it there.
    type: str
    choices: [present, absent]
    default: present
  variant:
    description:
      - V(tailscaled) is the open-source daemon. The module uses O(socket).
      - V(app) is the app of a person who is logged in to the Mac. The module uses the command line
        inside the app. It does not log the app in or out, but warns with the step that the person
        has to do, which is also RV(person).
    type: str
    choices: [tailscaled, app]
    default: tailscaled
  program:
    description:
      - Path of the C(tailscale) command. For O(variant=app) the default is the one inside the app,
        V(/Applications/Tailscale.app/Contents/MacOS/Tailscale).
    type: path
  socket:
    description:
      - Socket of the daemon. The module always passes it to the command, which otherwise searches
        for the app first, even if only traces of the app exist (tailscale issue 5761).
    type: path
    default: /var/run/tailscaled.socket
  login_server:
    description: Address of the control server. Empty means Tailscale's control server.
    type: str
    default: ""
  auth_key:
    description:
      - Auth key, or secret of an OAuth client. The module uses it only for a login and passes it to
        the command through standard input. It appears in no file, argument list or output.
      - The module appends C(?ephemeral=false&preauthorized=true) to the secret of an OAuth client
        without parameters, because Tailscale removes ephemeral nodes that are offline for a while.
    type: str
  tags:
    description:
      - Tags of the node. They are set at a login, so different tags of a node that is logged in are
        an error, unless O(reauthenticate=true). An empty list keeps the current tags.
    type: list
    elements: str
    default: []
  hostname:
    description:
      - Name of the node. An empty name means the host name of the system. Unchanged by default.
    type: str
  accept_dns:
    description: Whether the host uses the tailnet's DNS. Unchanged by default.
    type: bool
  accept_routes:
    description: Whether the host accepts subnet routes of other nodes. Unchanged by default.
    type: bool
  ssh:
    description: Whether Tailscale SSH is on. Unchanged by default.
    type: bool
  shields_up:
    description: Whether the host refuses connections from the tailnet. Unchanged by default.
    type: bool
  serve:
    description:
      - Ports that C(tailscale serve) offers to the tailnet. Unchanged by default. An empty list
        removes the entries of this module.
      - O(serve_record) has the entries of this module. Unmanaged entries stay and are listed in
        RV(serve_others). An unmanaged entry on a port of this list is an error.
    type: list
    elements: dict
    suboptions:
      port:
        description: Port at the node's tailnet address.
        type: int
        required: true
      to:
        description: Target of the connections, as host and port, such as V(127.0.0.1:8000).
        type: str
        required: true
      protocol:
        description:
          - V(tcp) forwards bytes. V(http) and V(https) serve at the name of the node. V(https)
            needs a control server that issues certificates.
        type: str
        choices: [tcp, http, https]
        default: tcp
  serve_record:
    description: Record of the served entries of this module. It is deleted when there are none.
    type: path
    default: /opt/closet/state/tailscale-serve.json
  change_tailnet:
    description:
      - Whether to move a node from another control server to O(login_server). The module logs it
        out there and logs it in with O(auth_key). The address of the node changes.
    type: bool
    default: false
  reauthenticate:
    description: Whether a node that is logged in logs in again to change its O(tags).
    type: bool
    default: false
  reached_at:
    description:
      - Address of this host that the run's ssh connection uses. If it is a tailnet address, the
        module refuses changes that could cut the connection.
    type: str
    default: ""
  may_cut_connection:
    description: Whether to make changes that could cut the connection at O(reached_at).
    type: bool
    default: false
  timeout_s:
    description: Seconds to wait for a login, and for a daemon that has just started.
    type: float
    default: 60.0
notes:
  - Does not use the configuration file of tailscaled (C(--config), C(alpha0)), for the reasons in
    docs/tailscale.md.
seealso:
  - module: closet.inference.launchd_job
"""

EXAMPLES = r"""
- name: Join the tailnet
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

- name: Leave the tailnet
  closet.inference.tailscale_node:
    program: /opt/closet/tailscale/1.102.4/bin/tailscale
    state: absent
  become: true
"""

RETURN = r"""
backend_state:
  description: State of the daemon, such as V(Running) or V(NeedsLogin). In check mode, the state
    that a real run would reach.
  returned: success
  type: str
  sample: Running
addresses:
  description: Tailnet addresses of the node, the IPv4 address first.
  returned: success
  type: list
  elements: str
  sample: [100.64.0.1, "fd7a:115c:a1e0::1"]
dns_name:
  description: Full name of the node in the tailnet, without a final dot.
  returned: success
  type: str
  sample: attic.tail1234.ts.net
tags:
  description: Tags of the node at the control server.
  returned: success
  type: list
  elements: str
  sample: [tag:closet]
key_expiry:
  description: Expiry of the node's key, in UTC. Empty if the key does not expire.
  returned: success
  type: str
  sample: "2027-05-22T19:42:11Z"
serve_urls:
  description: Addresses of the served ports in the tailnet, in the order of O(serve).
  returned: success
  type: list
  elements: str
  sample: ["http://attic.tail1234.ts.net:8000"]
serve_others:
  description: Unmanaged entries of C(tailscale serve), which stay.
  returned: success
  type: list
  elements: str
  sample: ["https 443 / -> http://127.0.0.1:3000"]
steps:
  description: Steps that the task ran, or would run in check mode, in order, without secrets.
  returned: success
  type: list
  elements: str
  sample: ["log in to https://headscale.example.net", "serve tcp 8000 to 127.0.0.1:8000"]
person:
  description: Remaining step for a person, with O(variant=app). Otherwise empty.
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
    """Bring the node to its wanted state."""
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

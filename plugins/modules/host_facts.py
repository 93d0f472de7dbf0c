# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: Look at a host with one ssh command, before Python can be relied on
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - An action plugin that runs one shell command on the host and needs no Python there, so that a
    Mac without Command Line Tools is told so instead of failing with a module error.
  - A laptop may also run Debian or Ubuntu. Another Linux is a problem, and so is one that shall
    serve.
  - Never fails for what it finds. It returns RV(errors), so that a play can report the problems
    of all hosts together. Only a host that ssh does not reach is marked unreachable.
options:
  minimum_macos:
    description: The oldest macOS that is accepted.
    type: str
    default: "14"
  is_client:
    description: Whether the host gets opencode, so that there has to be space for it.
    type: bool
    default: false
  serving:
    description:
      - What this host is to serve, from RV(closet.inference.inventory_check#module:servings). A Mac
        that cannot hold it is a problem, and so are a macOS that its backend does not run on (omlx
        needs 15, mlx_lm and ollama 14), a port that another program uses, an address
        that is not this Mac's, and a sudoers configuration that was already invalid.
      - What the owner of such a Mac should know is a warning, such as FileVault, or a job of
        another tool that starts by itself and sets the wired limit, the power settings or takes
        the port.
    type: dict
  tailnet:
    description:
      - What this host is in the tailnet, from
        RV(closet.inference.inventory_check#module:tailnet); empty in none. A host that is not
        logged in and has no key is a problem.
    type: dict
    default: {}
  candidates:
    description:
      - Every profile that could be served, from
        RV(closet.inference.inventory_check#module:candidates), to name the largest that fits.
    type: list
    elements: dict
    default: []
  hub:
    description:
      - Address of the hub that is asked how large the weights are, in the same command. Sizes that
        an earlier run recorded are not asked again. Without it those of the catalog count.
    type: str
    default: ""
  ca_bundle:
    description:
      - File on the controller with a certificate authority for O(hub); a problem when it is none.
    type: str
    default: ""
  wired:
    description:
      - What the owner says of the wired limit, with the keys C(limit_mb), C(reserve_gb) (0 is
        computed) and C(may_be_lower).
    type: dict
    default: {}
  account:
    description: The account that shall serve, when it is not the one that Ansible uses.
    type: str
  person:
    description:
      - Whose shell on a laptop is asked where it looks for programs, and where zsh has its files;
        that of the user when it is empty. Another C(opencode) that comes before ours is a warning,
        and so is a shell that looks past our folder.
    type: str
  shape:
    description: V(appliance) only serves. V(workstation) also is worked on, and may be a laptop.
    type: str
    choices: [appliance, workstation]
    default: appliance
  on_battery:
    description: What becomes of the server on a battery.
    type: str
    choices: [nothing, stop, lean]
    default: nothing
extends_documentation_fragment:
  - closet.inference.attributes.info
"""

EXAMPLES = r"""
- name: Look at every Mac
  closet.inference.host_facts:
  register: preflight_facts
"""

RETURN = r"""
errors:
  description: One sentence for each reason why this host cannot be worked with.
  returned: when the host was reached
  type: list
  elements: str
consent_errors:
  description: Why this Mac may not serve the LAN although the inventory asks for it, one sentence.
  returned: when the host was reached
  type: list
  elements: str
choice_errors:
  description:
    - Why a run must not go by the inventory's profile, as one sentence. Another checkout, or this
      closet under another name, has chosen the one that it serves.
  returned: when the host was reached
  type: list
  elements: str
lan_confirmed:
  description: Whether this Mac has a record of root's that it may serve the LAN.
  returned: when the host was reached
  type: bool
tailnet:
  description:
    - Empty without Tailscale, or when nobody asked. V(found) and the state of the node otherwise,
      which is left out when it does not say it.
  returned: when the host was reached
  type: str
  sample: found Running
firewall:
  description: Which firewalls of this Mac hold something of ours, V(application) or V(packets).
  returned: when the host was reached
  type: list
  elements: str
jobs:
  description:
    - Labels of this collection's jobs that launchd of a closet has loaded, or has a plist of.
    - Null where that could not be read, as with a sudo that asks for a password.
  returned: when the host was reached
  type: list
  elements: str
  sample: [inference.closet.omlx, inference.closet.wired-memory]
mcp:
  description: Names of the files that the role mcp keeps in the home of the user.
  returned: when the host was reached
  type: list
  elements: str
  sample: [claude.json]
opencode:
  description: Files of the user's own that opencode reads, below the home.
  returned: when the host was reached
  type: list
  elements: str
  sample: [.config/opencode/opencode.jsonc]
zsh_folders:
  description:
    - The folders from below the person's home to the one in which their zsh looks for C(.zshenv),
      when C(ZDOTDIR) of C(/etc/zshenv) moves that. Empty when it is the home, another place outside
      it, or another shell.
  returned: when the host was reached
  type: list
  elements: str
  sample: [/Users/admin/.config, /Users/admin/.config/zsh]
uuid:
  description: UUID of a Mac's hardware, or C(/etc/machine-id) of a Linux machine.
  returned: when the host was reached
  type: str
  sample: 0EA18D8F-6E5E-5C1B-9E4A-5C6F2B6C1A11
kernel:
  description: V(Darwin) or V(Linux).
  returned: when the host was reached
  type: str
  sample: Darwin
distribution:
  description: Which Linux, as the ID in os-release; null on a Mac, as the next four.
  returned: when the host was reached
  type: str
  sample: debian
system:
  description: The same for people.
  returned: when the host was reached
  type: str
  sample: Debian GNU/Linux 12 (bookworm)
architecture:
  description: What programs on Linux are built for, in dpkg's word.
  returned: when the host was reached
  type: str
  sample: amd64
avx2:
  description: Whether a processor on Linux has AVX2, without which opencode has a build of its own.
  returned: when the host was reached
  type: bool
  sample: true
python:
  description: Version of C(/usr/bin/python3) on Linux.
  returned: when the host was reached
  type: str
  sample: "3.11"
root_group:
  description: The name of group 0, V(wheel) on a Mac and V(root) on Linux.
  returned: when the host was reached
  type: str
  sample: wheel
reached_at:
  description: The address of this Mac at which Ansible's ssh connection arrives.
  returned: when the host was reached
  type: str
  sample: 10.77.31.10
tailscale:
  description: What of Tailscale is there, V(ours), V(app), and labels of daemons of others.
  returned: when the host was reached
  type: list
  elements: str
  sample: [ours]
macos:
  description: Version of macOS.
  returned: when the host was reached
  type: str
  sample: 26.5.1
model:
  description: Model identifier.
  returned: when the host was reached
  type: str
  sample: Mac16,9
memory_mb:
  description: Memory in MiB.
  returned: when the host was reached
  type: int
  sample: 131072
wired_limit_mb:
  description: The value of C(iogpu.wired_limit_mb) now, in MiB. V(0) is the system's own limit.
  returned: when the host was reached
  type: int
  sample: 0
user:
  description: The account that Ansible uses, C(uid), C(group), C(gid) and C(home) are its own.
  returned: when the host was reached
  type: str
  sample: admin
account:
  description: The account that serves, C(account_uid), C(account_group), C(account_gid) and
    C(account_home) are its own.
  returned: when the host was reached
  type: str
  sample: admin
address:
  description: IPv4 address of the interface with the default route.
  returned: when the host was reached
  type: str
  sample: 10.77.31.10
memory:
  description: The sums of the memory that the serving configuration needs, as lines of a table.
  returned: for a closet
  type: list
  elements: str
sizes_gb:
  description: Weights in 10^9 bytes that the hub told, by C(repo@revision).
  returned: when the host was reached
  type: dict
  sample: {"mlx-community/Qwen3-Coder-Next-4bit@main": 44.8}
run:
  description: Which run of a playbook holds this closet, or held it last, as
    M(closet.inference.run_lock) takes it.
  returned: success
  type: str
  sample: '{"controller": "studio", "user": "ada", "playbook": "site.yml", "held": false}'
record:
  description: What the closet was last seen to serve, C({}) when nothing is recorded.
  returned: when the host was reached
  type: dict
battery:
  description: Whether it has a battery of its own.
  returned: when the host was reached
  type: bool
  sample: false
on_battery:
  description: Whether it runs on that now.
  returned: when the host was reached
  type: bool
  sample: false
filevault:
  description: Whether its disk is encrypted by FileVault; null when that could not be read.
  returned: when the host was reached
  type: bool
  sample: false
autologin:
  description: The account that is logged in by itself at the start, if any.
  returned: when the host was reached
  type: str
  sample: admin
turned_off:
  description: Labels of ours that somebody turned off under Login Items & Extensions.
  returned: when the host was reached
  type: list
  elements: str
  sample: []
installed:
  description: Complete installations of ours, as C(program/version), the newest first.
  returned: when the host was reached
  type: list
  elements: str
  sample: ["opencode/1.18.33"]
versions:
  description: Version of omlx by environment. A fork of another name has none.
  returned: when the host was reached
  type: dict
  sample: {"/opt/closet/omlx/1f2e3d4c5b6a": "0.6.0"}
served_from:
  description: The release that each server of ours is started from, by name.
  returned: when the host was reached
  type: dict
  sample: {"ollama": "/opt/closet/ollama/0.34.4", "gateway": "/opt/closet/gateway/0a1b2c3d4e5f"}
"""

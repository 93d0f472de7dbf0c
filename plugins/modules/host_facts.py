# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: Examine a host with one ssh command that needs no Python there
version_added: "0.1.0"
author:
  - closet.inference contributors (@closet-inference)
description:
  - An action plugin. It runs one shell command, the probe, on the host. The probe needs no Python,
    so a Mac without Command Line Tools gets a clear error instead of a failed module.
  - A closet must be a Mac. A laptop may also run Debian or Ubuntu. Any other system is an error.
  - Problems of the host do not fail the task. They are returned as RV(errors), so that a play can
    report the problems of all hosts together. A host that ssh does not reach is unreachable.
options:
  minimum_macos:
    description: Oldest macOS version that is accepted.
    type: str
    default: "14"
  is_client:
    description: Whether the host gets opencode, and therefore needs disk space for it.
    type: bool
    default: false
  serving:
    description:
      - The serving configuration of this host, from
        RV(closet.inference.inventory_check#module:servings).
      - Errors are too little memory, a macOS that is too old for the backend (omlx needs 15, mlx_lm
        and ollama 14), a port that another program uses, an address that is not this Mac's, and a
        sudoers configuration that was already invalid.
      - Warnings are conditions that the owner should know, such as FileVault, or a job of another
        tool that starts automatically and sets the wired limit or the power settings, or takes the
        port.
    type: dict
  tailnet:
    description:
      - The tailnet node of this host, from RV(closet.inference.inventory_check#module:tailnet).
        Empty for a host outside the tailnet.
      - A host that is not logged in and has no auth key is an error.
    type: dict
    default: {}
  candidates:
    description:
      - Every profile that this host could serve, from
        RV(closet.inference.inventory_check#module:candidates). An error about memory names the
        largest one that fits.
    type: list
    elements: dict
    default: []
  hub:
    description:
      - Address of the hub. The probe asks it for the sizes of the weights, except for sizes that an
        earlier run recorded. If empty, the sizes of the catalog are used.
    type: str
    default: ""
  ca_bundle:
    description:
      - File on the controller with the certificate authority of O(hub). A file without a
        certificate is an error.
    type: str
    default: ""
  wired:
    description:
      - Wired memory limit as the inventory sets it, with the keys C(limit_mb), C(reserve_gb) (0
        means computed) and C(may_be_lower).
    type: dict
    default: {}
  account:
    description: Account that runs the server, if it is not the account that Ansible uses.
    type: str
  person:
    description:
      - Account on a laptop whose login shell is asked for its C(PATH) and for the folder of zsh's
        files. Empty means the account that Ansible uses.
      - Another C(opencode) that comes first in that C(PATH) is a warning, and so is a C(PATH)
        without the collection's folder.
    type: str
  shape:
    description: Use of the Mac. V(appliance) only serves. A person also works on a V(workstation),
      which may be a laptop.
    type: str
    choices: [appliance, workstation]
    default: appliance
  on_battery:
    description: What happens to the server while the Mac runs on its battery.
    type: str
    choices: [nothing, stop, lean]
    default: nothing
  inputs:
    description:
      - Digest of the inputs of this host, from
        RV(closet.inference.inventory_check#module:inputs). With it the probe also observes what the
        record of this host names, and RV(converged) is the result.
    type: str
    default: ""
  closet:
    description: The closet of a laptop, or the host itself.
    type: str
    default: ""
extends_documentation_fragment:
  - closet.inference.attributes.info
"""

EXAMPLES = r"""
- name: Gather the host facts
  closet.inference.host_facts:
  register: preflight_facts
"""

RETURN = r"""
converged:
  description:
    - Whether the inputs and the state of this host are those of its record, so that its tasks would
      change nothing. docs/architecture.md explains it.
  returned: when the host was reached
  type: bool
converged_state:
  description: Digest of the state in the record of this host; empty without a record.
  returned: when the host was reached
  type: str
converged_closet:
  description: The value of O(closet).
  returned: when the host was reached
  type: str
converged_with:
  description: State of the closet of a laptop when the laptop was recorded.
  returned: when the host was reached
  type: str
differences:
  description: What differs from the record, or why the two cannot be compared.
  returned: when the host was reached
  type: list
  elements: str
  sample: [path /etc/sysctl.conf]
errors:
  description: One sentence for each problem that prevents work on this host.
  returned: when the host was reached
  type: list
  elements: str
consent_errors:
  description: One sentence for each reason why this Mac may not serve the LAN as the inventory
    requests.
  returned: when the host was reached
  type: list
  elements: str
choice_errors:
  description:
    - One sentence when the closet serves a profile that was chosen from another checkout, or under
      another name of this closet. A run must not replace it with the profile of the inventory.
  returned: when the host was reached
  type: list
  elements: str
lan_confirmed:
  description: Whether this Mac has a valid record of the consent to LAN exposure.
  returned: when the host was reached
  type: bool
tailnet:
  description:
    - V(found), followed by the state of the node if it is known. Empty on a host without Tailscale,
      and when the probe did not check for it.
  returned: when the host was reached
  type: str
  sample: found Running
firewall:
  description: Firewalls of this Mac that have entries of this collection, V(application) or
    V(packets).
  returned: when the host was reached
  type: list
  elements: str
jobs:
  description:
    - Labels of this collection's jobs that launchd has loaded on a closet, or that have a plist.
    - Null if they could not be read, for example because sudo asks for a password.
  returned: when the host was reached
  type: list
  elements: str
  sample: [inference.closet.omlx, inference.closet.wired-memory]
mcp:
  description: Names of the files that the role mcp manages in the home of the user.
  returned: when the host was reached
  type: list
  elements: str
  sample: [claude.json]
opencode:
  description: Configuration files of the user that opencode reads, relative to the home.
  returned: when the host was reached
  type: list
  elements: str
  sample: [.config/opencode/opencode.jsonc]
zsh_folders:
  description:
    - The folder from which the person's zsh reads C(.zshenv), and its parents below the home, if
      C(/etc/zshenv) sets C(ZDOTDIR) to a folder in the home. Otherwise empty.
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
  description: ID of the Linux distribution in os-release. Null on a Mac.
  returned: when the host was reached
  type: str
  sample: debian
system:
  description: Name of the distribution for people. Null on a Mac.
  returned: when the host was reached
  type: str
  sample: Debian GNU/Linux 12 (bookworm)
architecture:
  description: Architecture of a Linux host, as dpkg names it. Null on a Mac.
  returned: when the host was reached
  type: str
  sample: amd64
avx2:
  description: Whether the processor of a Linux host has AVX2. opencode has a separate build for
    processors without it. Null on a Mac.
  returned: when the host was reached
  type: bool
  sample: true
python:
  description: Version of C(/usr/bin/python3) on Linux. Null on a Mac.
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
  description: Installations of Tailscale, V(ours), V(app), and labels of unmanaged daemons.
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
  description: Current value of C(iogpu.wired_limit_mb), in MiB. V(0) is the default of macOS.
  returned: when the host was reached
  type: int
  sample: 0
user:
  description: Account that Ansible uses. C(uid), C(group), C(gid) and C(home) belong to it.
  returned: when the host was reached
  type: str
  sample: admin
account:
  description: Account that runs the server. C(account_uid), C(account_group), C(account_gid) and
    C(account_home) belong to it.
  returned: when the host was reached
  type: str
  sample: admin
address:
  description: IPv4 address of the interface with the default route.
  returned: when the host was reached
  type: str
  sample: 10.77.31.10
memory:
  description: Memory plan of the serving configuration, as lines of a table.
  returned: for a closet
  type: list
  elements: str
sizes_gb:
  description: Sizes of the weights as the hub reports them, in 10^9 bytes, by C(repo@revision).
  returned: when the host was reached
  type: dict
  sample: {"mlx-community/Qwen3-Coder-Next-4bit@main": 44.8}
run:
  description: Content of the run lock, which names the run that holds this closet or held it last.
    M(closet.inference.run_lock) takes it as O(closet.inference.run_lock#module:seen).
  returned: success
  type: str
  sample: '{"controller": "studio", "user": "ada", "playbook": "site.yml", "held": false}'
record:
  description: Serving configuration that last passed its health checks, C({}) without a record.
  returned: when the host was reached
  type: dict
battery:
  description: Whether the host has a battery.
  returned: when the host was reached
  type: bool
  sample: false
on_battery:
  description: Whether the host runs on its battery now.
  returned: when the host was reached
  type: bool
  sample: false
filevault:
  description: Whether FileVault encrypts the disk. Null if that could not be read.
  returned: when the host was reached
  type: bool
  sample: false
autologin:
  description: Account that macOS logs in automatically at startup, if any.
  returned: when the host was reached
  type: str
  sample: admin
turned_off:
  description: Labels of this collection's jobs that are turned off under Login Items & Extensions.
  returned: when the host was reached
  type: list
  elements: str
  sample: []
installed:
  description: Complete releases of this collection, as C(program/version), newest first.
  returned: when the host was reached
  type: list
  elements: str
  sample: ["opencode/1.18.33"]
versions:
  description: Version of omlx in each environment. A fork with another package name has no entry.
  returned: when the host was reached
  type: dict
  sample: {"/opt/closet/omlx/1f2e3d4c5b6a": "0.6.0"}
served_from:
  description: Release that each server of this collection starts from, by server name.
  returned: when the host was reached
  type: dict
  sample: {"ollama": "/opt/closet/ollama/0.34.4", "gateway": "/opt/closet/gateway/0a1b2c3d4e5f"}
"""

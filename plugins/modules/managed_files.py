# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Manage all files of a host in one module run
version_added: "0.1.0"
description:
  - Renders templates on the controller, then compares, validates and writes all files of a host
    in a single module run.
  - Reads every file and runs every validator before it writes the first file. When a write fails,
    the module restores the files that it has already written.
  - Replaces each file in one step (write a temporary file, synchronise, rename), so a power cut
    leaves the old file or the new one.
  - With C(become), reads and writes a file as root only if root alone can change every folder above
    it. Otherwise the module works in a process with the rights of the account that can change such
    a folder. Symbolic links of that account therefore give access to nothing that the account could
    not access itself.
  - As root, follows no symbolic links except those of macOS (V(/etc), V(/tmp), V(/var)) and a link
    to a home. Below a home, links of the account are followed for folders, blocks, lines and
    merges. A whole file (O(files[].template), O(files[].content)) replaces a link at its path.
  - An edited file (O(files[].block), O(files[].line), O(files[].merge)) keeps its owner and mode,
    except that a secret removes the access of other accounts. A file that the account cannot
    replace, for example in a store of dotfiles, stays as it is, with a warning that shows the
    missing text.
  - Does not create parent folders implicitly. List them before the file with
    O(files[].state=directory).
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: A missing validator, user or parent folder is a warning, because an earlier task of the
      play may create it.
  diff_mode:
    description: Shows one entry per changed file, without the content of secret files.
options:
  files:
    description: Files, in the order in which they are written. Only blocks and lines may share a
      path.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path on the host, without V(~), V(.) and V(..).
        type: str
        required: true
      template:
        description:
          - Name of a template. M(ansible.builtin.template) finds and renders it in the same way.
          - Mutually exclusive with O(files[].content), O(files[].block), O(files[].line),
            O(files[].merge) and O(files[].link).
        type: str
      content:
        description: Whole content as text.
        type: str
      block:
        description:
          - Text of a block in a file that others manage. The module keeps it between the lines
            V(# BEGIN closet.inference <block_name>) and V(# END closet.inference <block_name>).
          - Not needed with O(files[].state=absent), which uses only O(files[].block_name).
        type: str
      block_name:
        description: Name of the block in its first and last line.
        type: str
      fits:
        description:
          - Regular expression for the rest of the file, without O(files[].block). The module
            refuses a file that does not match completely, and shows the block to insert by hand.
          - With O(files[].state=absent), delete the file if nothing is left in it.
        type: str
      line:
        description: One line in a file that others manage.
        type: str
      match:
        description:
          - Regular expression that is searched in each line. O(files[].line) replaces the first
            matching line. Other matching lines are removed. Without a matching line,
            O(files[].line) is appended.
          - With O(files[].state=absent), all matching lines are removed.
        type: str
      link:
        description: Target of a symbolic link. The link never replaces a file or folder.
        type: str
      merge:
        description:
          - Entries in a JSON file that an app or a person also edits, as a list of dictionaries.
            The rest of the file stays, with its comments, order and indentation. The file may have
            comments and trailing commas.
          - C(at) is the path of the entry, a list of names from the outermost to the innermost.
            C(value) is its value. A dictionary in C(at) selects the element of an array that has
            these members, and adds it if there is no such element.
          - Entries of O(files[].record) that are no longer listed are removed. An empty list
            removes all of them, then the record, and also the file if the module created it and
            nothing else is in it.
          - With C(partial) true, other members of an existing object stay as long as the entry is
            listed, because an app may have added them.
          - An existing entry with another value that is not in O(files[].record) is refused.
          - An unreadable file is refused, with the text to insert by hand. If nothing has to be in
            it any more, it is a warning.
        type: raw
      record:
        description: Absolute path of the record of the entries that O(files[].merge) added. It is
          written before and after the file, so that a power cut loses no entry.
        type: str
      only:
        description: With O(files[].state=directory), the names of the allowed entries. Other files
          and links are removed. Another folder is refused.
        type: list
        elements: str
      state:
        description:
          - V(directory) creates a folder.
          - V(absent) removes the file, link, block or line. It removes a folder only if it is
            empty.
        type: str
        choices: [present, absent, directory]
        default: present
      owner:
        description: User name or number. By default, an existing file keeps its owner, and a new
          file belongs to the account that can change the folder.
        type: str
      group:
        description: Group name or number. By default, an existing file keeps its group.
        type: str
      mode:
        description:
          - Permissions as a quoted octal number, such as V("0644").
          - By default, an existing file keeps its mode. A new file gets V(0644), a new folder
            V(0755), a new secret or a file that O(files[].merge) creates V(0600).
        type: str
      validate:
        description: Command, as a list of words, that has to accept a copy of the new content with
          exit code 0 before anything is replaced. V(%s) stands for the path of the copy.
        type: list
        elements: str
      program:
        description:
          - Whether the file is a program that every account may start. It belongs to root if root
            alone can change the folder, otherwise to the account that can change the folder. An
            existing file does not keep its owner.
        type: bool
        default: false
      secret:
        description: Whether the content is secret. Neither the content nor a validator's message
          about it appears in output or diff.
        type: bool
        default: false
  confirm:
    description:
      - Program that reads these files and has to accept them after they are written. If it rejects
        them, the task fails with the program's message, and the files stay.
      - The program runs after a change, and when it has not accepted the current contents yet,
        because it rejected them or because the run was interrupted. Check mode does not run it.
    type: dict
    suboptions:
      command:
        description: Command as a list of words. It has to exit with 0 within 120 seconds.
        type: list
        elements: str
        required: true
      user:
        description: Account that runs the command.
        type: str
        required: true
      home:
        description: Home of that account.
        type: path
        required: true
      record:
        description: Absolute path of the record of the contents that the program accepted.
        type: str
        required: true
      reads:
        description: Absolute paths of other files that the program reads if they exist. If one of
          them is not a file that the account can read, the task reports it and does not run the
          program.
        type: list
        elements: str
        default: []
      lines:
        description: Lines that the program has to print.
        type: list
        elements: str
        default: []
      hide:
        description: Regular expressions for parts of the program's output that must not be shown.
        type: list
        elements: str
        default: []
      hints:
        description: Advice for a rejection. The first hint with C(says) in the program's output
          is shown.
        type: list
        elements: dict
        default: []
        suboptions:
          says:
            description: Text in the program's output. The empty text matches every output.
            type: str
            default: ""
          do:
            description: Sentence that says what to do.
            type: str
            required: true
  secret_contents:
    description: For internal use. The action plugin sets it to the texts of the secret files, which
      keeps them out of all output.
    type: list
    elements: str
notes:
  - A replaced file loses its extended attributes and access control lists.
"""

EXAMPLES = r"""
- name: Place the files of the closet
  closet.inference.managed_files:
    files:
      - path: /etc/sudoers.d/closet-inference
        template: sudoers.j2
        owner: root
        group: wheel
        mode: "0440"
        validate: [/usr/sbin/visudo, -cf, "%s"]
      - path: /etc/sysctl.conf
        line: iogpu.wired_limit_mb=98304
        match: ^iogpu\.wired_limit_mb=
      - path: /Users/admin/.zshenv
        block_name: environment
        block: . "$HOME/.config/closet/env.sh"
        owner: admin
      - path: /Users/admin/.config/closet
        state: directory
        mode: "0700"
        owner: admin
      - path: /Users/admin/.config/closet/key
        content: "{{ client_key }}"
        secret: true
        owner: admin
      - path: /Users/admin/.config/zed/settings.json
        record: /Users/admin/.config/closet/merged/zed.json
        merge:
          - at: [language_models, openai_compatible, Closet]
            value: {api_url: "http://attic.local:8000/v1", available_models: []}
          - at: [ssh_connections, {host: attic.local}]
            value: {host: attic.local, projects: []}
        owner: admin
  become: true
"""

RETURN = r"""
files:
  description: Result for each path, in the order of O(files).
  returned: success
  type: list
  elements: dict
  sample:
    - path: /etc/sudoers.d/closet-inference
      changed: true
      state: present
digest:
  description:
    - Digest of the wanted contents. It does not depend on modes and owners.
    - Meant for O(closet.inference.launchd_job#module:restart_on).
  returned: success
  type: str
  sample: 9b0c2c1c3d2f5e3f0f4f1c6f1b1d0a7f7f1e2d3c4b5a69788796a5b4c3d2e1f0
"""

import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.entry import Module, run_module
from ansible_collections.closet.inference.plugins.module_utils.managed_files.apply import (
    FilesNotWrittenError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.confirm import (
    NotConfirmedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

FILE_OPTIONS = {
    "path": {"type": "str", "required": True},
    "template": {"type": "str"},
    "content": {"type": "str"},
    "block": {"type": "str"},
    "block_name": {"type": "str"},
    "fits": {"type": "str"},
    "line": {"type": "str"},
    "match": {"type": "str"},
    "link": {"type": "str"},
    "merge": {"type": "raw"},
    "record": {"type": "str"},
    "only": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "directory"], "default": "present"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "validate": {"type": "list", "elements": "str"},
    "program": {"type": "bool", "default": False},
    "secret": {"type": "bool", "default": False, "no_log": False},
}
HINT_OPTIONS = {
    "says": {"type": "str", "default": ""},
    "do": {"type": "str", "required": True},
}
CONFIRM_OPTIONS = {
    "command": {"type": "list", "elements": "str", "required": True},
    "user": {"type": "str", "required": True},
    "home": {"type": "path", "required": True},
    "record": {"type": "str", "required": True},
    "reads": {"type": "list", "elements": "str", "default": []},
    "lines": {"type": "list", "elements": "str", "default": []},
    "hide": {"type": "list", "elements": "str", "default": []},
    "hints": {"type": "list", "elements": "dict", "default": [], "options": HINT_OPTIONS},
}
OPTIONS = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": FILE_OPTIONS,
    },
    "confirm": {"type": "dict", "options": CONFIRM_OPTIONS},
    "secret_contents": {"type": "list", "elements": "str", "no_log": True},
}


def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the files to their wanted state."""
    # not AnsibleModule.tmpdir: with pipelining it makes ~root/.ansible, and warns that it did
    result, warnings = execute(options, Runner(), tempfile.gettempdir(), check_mode)
    return {**result, "warnings": warnings}


MODULE = Module(OPTIONS, work, (FilesRefusedError, FilesNotWrittenError, NotConfirmedError))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

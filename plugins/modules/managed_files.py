# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Keep many files of one host as they shall be, in one run
version_added: "0.1.0"
description:
  - Renders templates on the controller, then compares, validates and writes all files of a host
    in a single module run.
  - Every file is looked at and every validator is asked before the first file is written. When
    a write fails midway, the files already written are put back as they were.
  - Each file is replaced in one step (written beside, synchronised, renamed), so a power cut
    leaves the old or the new one.
  - With C(become), a file is read and written as root only where root alone can change every
    folder above it. Elsewhere the module works with the rights of the account that can change
    such a folder, in a process that has given up root, so that links which the account plants
    lead nowhere that the account could not go itself.
  - Root follows no symbolic links but those of macOS itself (V(/etc), V(/tmp), V(/var)) and one
    to a home. Below its home an account's own links are followed for folders, blocks, lines and
    merges. A link at the path itself is replaced by a whole file (O(files[].template),
    O(files[].content)).
  - A file that is only edited (O(files[].block), O(files[].line), O(files[].merge)) keeps its
    owner and mode, save that a secret closes it to others. One that the account cannot replace,
    in a store of dotfiles for instance, is left alone with a warning that shows what to add.
  - Parent folders are not created implicitly; list them before the file with
    O(files[].state=directory).
author:
  - closet.inference contributors (@closet-inference)
extends_documentation_fragment:
  - closet.inference.attributes
attributes:
  check_mode:
    details: A validator, user or parent folder that an earlier task of the play would have brought
      is a warning then.
  diff_mode:
    description: One entry per changed file, secret ones without their content.
options:
  files:
    description: The files, in the order in which they are written. Blocks and lines may share a
      path, nothing else may.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path on the host. V(~), V(.) and V(..) are refused.
        type: str
        required: true
      template:
        description:
          - Name of a template, found where M(ansible.builtin.template) would find it and
            rendered in the same way.
          - Only one of this, O(files[].content), O(files[].block), O(files[].line),
            O(files[].merge) and O(files[].link) can be given.
        type: str
      content:
        description: The whole content as text.
        type: str
      block:
        description:
          - Text of a block inside a file that belongs to somebody else, kept between the lines
            V(# BEGIN closet.inference <block_name>) and V(# END closet.inference <block_name>).
          - With O(files[].state=absent) only O(files[].block_name) is needed.
        type: str
      block_name:
        description: Name by which the block is found again.
        type: str
      fits:
        description:
          - Regular expression that the whole rest of the file has to match, so that
            O(files[].block) may stand in it. A file that it does not match is refused, with the
            block to put in by hand.
          - With O(files[].state=absent) it says that the file goes when nothing is left in it.
        type: str
      line:
        description: One line inside a file that belongs to somebody else.
        type: str
      match:
        description:
          - Regular expression, searched in each line. The first line it is found in becomes
            O(files[].line), further ones are removed, all others stay. Without a match the line
            is appended.
          - With O(files[].state=absent) all lines it is found in are removed.
        type: str
      link:
        description: Target of a symbolic link. A file or folder in its place is never replaced.
        type: str
      merge:
        description:
          - Entries of ours inside a JSON file that an app or a person rewrites, as a list of
            dictionaries. Everything else in the file stays, with its comments, order and
            indentation; comments and trailing commas are understood.
          - C(value) is what shall be at C(at), a list of names from the outermost to the
            innermost. A dictionary in the list stands for the element of an array that has these
            values; it is added when there is none.
          - Entries of ours that are not listed any more are removed, as O(files[].record) names
            them. With an empty list all of them are, then the record, and the file too if it was
            made for them and nothing else is in it.
          - With C(partial) true, other members of an object that is there stay, as long as ours
            is wanted. An app may have added them.
          - An entry that was there before and has another value is not ours. It is refused.
          - A file that cannot be read is refused too, with the text to put in by hand. When
            nothing is wanted in it any more, that is a warning.
        type: raw
      record:
        description: Absolute path of a file that says which entries of O(files[].merge) are ours.
          It is written before and after the file, so that a power cut forgets none.
        type: str
      only:
        description: With O(files[].state=directory), the names that may be in it. Other files and
          links are removed, another folder is refused.
        type: list
        elements: str
      state:
        description:
          - V(directory) makes a folder.
          - V(absent) removes the file, link, block or line; a folder only when nothing is
            left in it.
        type: str
        choices: [present, absent, directory]
        default: present
      owner:
        description: User name or number. When not given, an existing file keeps its owner, and a
          new one belongs to the account that can change the folder.
        type: str
      group:
        description: Group name or number. When not given, an existing file keeps its group.
        type: str
      mode:
        description:
          - Permissions as a quoted octal number, such as V("0644").
          - When not given, an existing file keeps its mode, a new one gets V(0644), a folder
            V(0755), a secret or a file made by O(files[].merge) V(0600).
        type: str
      validate:
        description: A command as a list of words, run on a copy of the new content before
          anything is replaced. V(%s) stands for the copy. It has to end with 0.
        type: list
        elements: str
      program:
        description:
          - Any account may start it. Where root alone can change the folder, it belongs to root,
            whoever had what was there before; elsewhere to the account that can change the folder.
        type: bool
        default: false
      secret:
        description: The content never appears in output or diff, nor do the words of a
          validator about it.
        type: bool
        default: false
  confirm:
    description:
      - A program that reads these files is asked whether it takes them, after they were written.
        The task fails with its words when it does not; what was written stays.
      - It is asked when something was written, and when it has not yet said yes to these contents,
        since it said no or the run was cut off. Check mode does not ask.
    type: dict
    suboptions:
      command:
        description: The command as a list of words. It has to end with 0 within 120 seconds.
        type: list
        elements: str
        required: true
      user:
        description: The account with whose rights it runs.
        type: str
        required: true
      home:
        description: That account's home.
        type: path
        required: true
      record:
        description: Absolute path of a file that says to which contents it has said yes.
        type: str
        required: true
      reads:
        description: Absolute paths that it reads besides, when they are there. One that is no file
          that the account can read is told, and the program is not asked.
        type: list
        elements: str
        default: []
      lines:
        description: Lines that it has to print.
        type: list
        elements: str
        default: []
      hide:
        description: Regular expressions; what they match of its words is not shown.
        type: list
        elements: str
        default: []
      hints:
        description: What to do. The first one counts whose C(says) is in its words.
        type: list
        elements: dict
        default: []
        suboptions:
          says:
            description: Words of the program; every answer has the empty ones.
            type: str
            default: ""
          do:
            description: A sentence.
            type: str
            required: true
  secret_contents:
    description: Filled in by the action plugin with the texts of the secret files, to keep them
      out of every output. Not for use in a task.
    type: list
    elements: str
notes:
  - Extended attributes and access control lists of a replaced file are not kept.
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
  description: What became of each path, in the order of the task.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /etc/sudoers.d/closet-inference
      changed: true
      state: present
digest:
  description:
    - Changes when, and only when, the wanted contents change; modes and owners are not part of
      it.
    - For O(closet.inference.launchd_job#module:restart_on).
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
    """The files as they are to be."""
    # not AnsibleModule.tmpdir: with pipelining it makes ~root/.ansible, and warns that it did
    result, warnings = execute(options, Runner(), tempfile.gettempdir(), check_mode)
    return {**result, "warnings": warnings}


MODULE = Module(OPTIONS, work, (FilesRefusedError, FilesNotWrittenError, NotConfirmedError))


def main() -> None:
    """Entry point."""
    run_module(MODULE)


if __name__ == "__main__":
    main()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account that acts at a path may do there, and what to tell where it may not; pure."""

from __future__ import annotations

import shlex
from dataclasses import replace

from ansible_collections.closet.inference.plugins.module_utils.accounts import Account
from ansible_collections.closet.inference.plugins.module_utils.managed_files.edits import edited
from ansible_collections.closet.inference.plugins.module_utils.managed_files.merge import alone
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    Have,
    Plan,
    Scene,
    Step,
    Want,
)


def left_alone(want: Want, have: Have, scene: Scene) -> str:
    """What to tell of a file that its account cannot replace: one in a store of dotfiles."""
    account = scene.accounts.get(want.path)
    who = account.name if account else f"uid {scene.euid}"
    words = (
        f"{want.path} is left as it is: {who} cannot replace {have.real} (owner {have.uid}, mode "
    )
    words += f"{have.mode:04o}). "
    if want.secret:
        return words + "What belongs into it is a secret, and is not shown"
    if want.state == "absent":
        return (
            words + "It holds lines of ours that are no longer wanted: remove them where it is made"
        )
    if want.kind == "merge":
        ours = alone(want.entries)
    else:
        ours = "".join(edited("", edit) for edit in want.edits if edit.present)
    return words + f"Add this where it is made:\n{ours.rstrip()}"


def told(want: Want, have: Have, scene: Scene, problem: str) -> str:
    """A problem with what is at a path: whose it is, where it leads, how to move it away.

    The command has the rights of the account that acts there: as root it would follow the links
    that the account may plant meanwhile.
    """
    account = scene.accounts.get(want.path)
    owner = account.name if account and have.uid == account.uid else f"uid {have.uid}"
    leads = "" if have.real == want.path else f" (it leads to {have.real})"
    as_who = "sudo " if scene.euid == 0 else ""
    if account:
        as_who = f"sudo -u {shlex.quote(account.name)} "
    path = shlex.quote(want.path)
    return (
        f"{want.path}{leads} {problem}. It belongs to {owner}; move it away: "
        f"`{as_who}mv -n {path} {shlex.quote(want.path + '.aside')}`"
    )


def with_rights(want: Want, step: Step, scene: Scene, made: Plan) -> list[Step]:
    """The step as who acts there may do it; a problem when that account may not."""
    account = scene.accounts.get(want.path)
    acting = account.uid if account else scene.euid
    if acting == 0:
        return [step]
    have = step.have
    problem = None
    if step.action == "attributes" and have.uid != acting:
        who = account.name if account else f"uid {acting}"
        problem = told(want, have, scene, f"cannot be changed with the rights of {who}")
    elif step.uid is not None and step.uid != acting:
        problem = _not_the_owner(want, step, account)
    elif account and want.group and step.gid not in (None, have.gid, *account.groups):
        problem = (
            f"{want.path}: {account.name} is not in the group {want.group}, so it cannot give it "
            "the file; leave group out"
        )
    if problem:
        made.problems.append(problem)
        return []
    if account and step.gid not in account.groups:
        step = replace(step, gid=None)
    return [step]


def _not_the_owner(want: Want, step: Step, account: Account | None) -> str:
    owner = want.owner or f"uid {step.uid}"
    if account is None:
        return (
            f"{want.path} must belong to {owner}, and only root may give files away; run the task "
            "with become: true"
        )
    return (
        f"{want.path} cannot belong to {owner}: {account.name} can change a folder above it, so "
        f"files there are written with the rights of {account.name}; leave owner out, or give that "
        "folder to root"
    )

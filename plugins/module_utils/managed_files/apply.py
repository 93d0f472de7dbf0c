# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies the steps of managed_files, and restores all files when one fails."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.acting import ActingError, Rights
from ansible_collections.closet.inference.plugins.module_utils.files import (
    make_folder,
    make_link,
    remove_file,
    remove_folder,
    set_attributes,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.host import have_at
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    Have,
    Step,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError


class FilesNotWrittenError(RuntimeError):
    """A write failed; what had been written before it is as it was again, or named."""


def apply(steps: Sequence[Step], rights: Mapping[str, Rights]) -> None:
    """Do all steps or none; raises FilesNotWrittenError after putting everything back."""
    done: list[Step] = []
    for step in steps:
        try:
            _rights_for(step, rights).call(DO[step.action], step)
        except (OSError, ActingError) as error:
            # the failed one goes first: it may have been half done (made, not yet its owner's)
            lost = _take_back([*done, step], rights)
            who = _rights_for(step, rights).account
            failure = _failure(step, error, who.name if who else "", len(done), lost)
            raise FilesNotWrittenError(failure) from error
        except BaseException:
            _take_back([*done, step], rights)
            raise
        done.append(step)


def _rights_for(step: Step, rights: Mapping[str, Rights]) -> Rights:
    """Of the path itself, or of the folder whose `only` names it not."""
    return rights.get(step.path) or rights[posixpath.dirname(step.path)]


def _failure(
    step: Step, error: OSError | ActingError, who: str, before: int, lost: Sequence[str]
) -> str:
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    rights = f" with the rights of {who}" if who else ""
    words = f"{step.path} could not be changed ({step.action}){rights}: {why}"
    words += f"{_hint(step, error)}. "
    if lost:
        return words + f"These could not be restored: {', '.join(lost)}; correct them by hand."
    if before:
        return words + f"The {before} changed before it were restored."
    return words + "Nothing else was changed."


def _hint(step: Step, error: OSError | ActingError) -> str:
    """The command that shows the cause of an error, where its text does not."""
    if isinstance(error, (UntrustedPathError, ActingError)):
        return ""
    folder = posixpath.dirname(step.have.real)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"; see what is free: `df -h {shlex.quote(folder)}`"
    is_mac = os.uname().sysname == "Darwin"
    there = [folder] if step.have.kind == "absent" else [folder, step.have.real]
    words = f"; see owners and modes: `sudo ls -ld{'O' if is_mac else ''} {shlex.join(there)}`"
    if error.errno not in (errno.EPERM, errno.EACCES):
        return words
    # a link has no flag of its own on Linux
    flagged = [folder] if step.have.kind == "link" else there
    unlock = "chflags nouchg,noschg" if is_mac else "chattr -i"
    return f"{words}; what is locked, `sudo {unlock} {shlex.join(flagged)}` unlocks"


def _take_back(steps: Sequence[Step], rights: Mapping[str, Rights]) -> list[str]:
    lost = []
    for step in reversed(steps):
        try:
            _rights_for(step, rights).call(_put_back, step)
        except (OSError, ActingError):
            lost.append(step.path)
    return lost


def _put_back(step: Step) -> None:
    have = step.have
    if _same(have_at(have.real), have):
        return
    if have.kind == "absent":
        if step.action == "mkdir":
            with contextlib.suppress(FileNotFoundError):
                remove_folder(have.real)
        else:
            remove_file(have.real)
    elif have.kind == "file":
        write_atomic(have.real, have.data, have.mode, have.uid, have.gid)
    elif have.kind == "link":
        make_link(have.real, have.target, have.uid, have.gid)
    elif have.kind == "directory":
        if not Path(have.real).is_dir():
            make_folder(have.real, have.mode, have.uid, have.gid)
        set_attributes(have.real, have.mode, have.uid, have.gid)


def _same(now: Have, before: Have) -> bool:
    seen = [replace(one, names=(), parent="", writable=True) for one in (now, before)]
    return seen[0] == seen[1]


def _write(step: Step) -> None:
    mode = 0o644 if step.mode is None else step.mode
    write_atomic(step.have.real, step.data, mode, step.uid, step.gid)


def _link(step: Step) -> None:
    make_link(step.have.real, step.target, step.uid, step.gid)


def _mkdir(step: Step) -> None:
    make_folder(step.have.real, step.mode or 0o755, step.uid, step.gid)


def _attributes(step: Step) -> None:
    set_attributes(step.have.real, step.mode, step.uid, step.gid)


def _unlink(step: Step) -> None:
    remove_file(step.have.real)


def _rmdir(step: Step) -> None:
    remove_folder(step.have.real)


DO: dict[str, Callable[[Step], None]] = {
    "write": _write,
    "link": _link,
    "mkdir": _mkdir,
    "attributes": _attributes,
    "unlink": _unlink,
    "rmdir": _rmdir,
}

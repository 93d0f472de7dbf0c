# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the files of a host and runs the validators, for managed_files.

Each path is read with the right account: root if only root can change the folders above it,
otherwise the account that can change them, in a separate process (acting.py).
"""

from __future__ import annotations

import grp
import os
import posixpath
import pwd
import shlex
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    Processes,
    Rights,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    folder_of,
    link_target,
    names_in,
    read_file,
    status_of,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    Have,
    Scene,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import (
    RC_NOT_FOUND,
    Runner,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError

VALIDATE_TIMEOUT_S = 30


def rights_of(wants: Sequence[Want], processes: Processes) -> dict[str, Rights]:
    """With whose rights each path is read and written; raises FilesRefusedError."""
    found = {}
    for want in wants:
        owner = user_id(want.owner) if want.owner else None
        for path in filter(None, (want.path, want.record)):
            try:
                found[path] = processes.for_path(path, owner)
            except UntrustedPathError as error:
                raise FilesRefusedError(
                    f"{path}: {error.strerror}. Nothing was written."
                ) from error
    return found


def observe(wants: Sequence[Want], check_mode: bool, rights: Mapping[str, Rights]) -> Scene:
    """Read everything the plan needs; raises FilesRefusedError for what cannot be read."""
    have = {}
    for want in wants:
        mine = rights[want.path]
        for path in (want.path, want.record):
            if path:
                have[path] = rights[path].call(look, want, path)
        if want.only is not None:
            for name in have[want.path].names:
                inside = str(Path(want.path, name))
                have[inside] = mine.call(look, replace(want, kind="file"), inside)
    return Scene(
        have=have,
        uids={want.owner: user_id(want.owner) for want in wants if want.owner},
        gids={want.group: group_id(want.group) for want in wants if want.group},
        euid=os.geteuid(),
        check_mode=check_mode,
        accounts={path: one.account for path, one in rights.items() if one.account},
    )


def user_id(name: str) -> int | None:
    """The number of a user given by name or number; None for an unknown name."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_id(name: str) -> int | None:
    """The number of a group given by name or number; None for an unknown name."""
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def look(want: Want, path: str) -> Have:
    """What is at `path` now, behind the links that the account itself may have made there."""
    real = _real_place(want.kind, path)
    try:
        return have_at(real, list_names=want.kind == "absent" or want.only is not None)
    except OSError as error:
        raise FilesRefusedError(_unreadable(path, real, error)) from error


def _unreadable(path: str, real: str, error: OSError) -> str:
    if isinstance(error, UntrustedPathError):
        return f"{path}: {error.strerror}. Nothing was written"
    leads = "" if real == path else f" (it leads to {real})"
    return (
        f"{path}{leads} cannot be read with the rights of uid {os.geteuid()}: {error.strerror}; "
        f"see whose it is: `sudo ls -ld {shlex.quote(path)}`. Nothing was written"
    )


def _real_place(kind: str, path: str) -> str:
    """The path of an account with its links resolved; root's stays as it is.

    A link at the path itself is resolved only for folders and edits in place: it may lead to a file
    in the account's repository of dotfiles.
    """
    if os.geteuid() == 0:
        return path
    if kind in ("edits", "merge", "directory"):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return str(Path(os.path.realpath(folder), name))


def have_at(real: str, list_names: bool = False) -> Have:
    parent = _parent_kind(posixpath.dirname(real))
    try:
        found = status_of(real)
    except (FileNotFoundError, NotADirectoryError):
        # a folder that is not there yet is made by the same run
        writable = parent != "directory" or _is_writable(real, None)
        return Have(real, "absent", parent=parent, writable=writable)
    mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    if stat.S_ISLNK(found.st_mode):
        return Have(real, "link", target=link_target(real), mode=mode, uid=uid, gid=gid)
    if stat.S_ISREG(found.st_mode):
        data, found = read_file(real)
        mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
        writable = _is_writable(real, found)
        return Have(real, "file", data=data, mode=mode, uid=uid, gid=gid, writable=writable)
    if stat.S_ISDIR(found.st_mode):
        names = names_in(real) if list_names else ()
        return Have(real, "directory", mode=mode, uid=uid, gid=gid, names=names)
    return Have(real, "other", mode=mode, uid=uid, gid=gid)


def _is_writable(real: str, found: os.stat_result | None) -> bool:
    """Whether a file can be replaced by one of the same owner: a store of dotfiles cannot."""
    if os.geteuid() == 0:
        return True
    mine = found is None or found.st_uid == os.geteuid()
    may_write = found is None or os.access(real, os.W_OK)
    return mine and may_write and os.access(posixpath.dirname(real), os.W_OK | os.X_OK)


def _parent_kind(folder: str) -> str:
    try:
        with folder_of(posixpath.join(folder, "any")):
            return "directory"
    except FileNotFoundError:
        return "absent"
    except NotADirectoryError:
        return "other"


def try_validators(
    steps: Sequence[Step],
    runner: Runner,
    folder: str,
    check_mode: bool,
    rights: Mapping[str, Rights],
) -> list[str]:
    """Show each new content to its validator; returns warnings, raises when one says no."""
    warnings = []
    for step in steps:
        if step.action == "write" and step.validate:
            missing = rights[step.path].call(_validated, step, runner, folder)
            if missing and not check_mode:
                raise FilesRefusedError(
                    f"{step.path} cannot be checked: {missing}; nothing was written"
                )
            if missing:
                warnings.append(f"{step.path} was not checked: {missing}")
    return warnings


def _validated(step: Step, runner: Runner, folder: str) -> str | None:
    """None when the validator agrees, a sentence when it is not there."""
    # root's own folder for temporary files is closed to others
    place = folder if os.access(folder, os.W_OK | os.X_OK) else "/tmp"
    private = tempfile.mkdtemp(prefix="closet-validate-", dir=place)
    try:
        candidate = Path(private, Path(step.path).name)
        candidate.touch(mode=0o600)
        candidate.write_bytes(step.data)
        argv = [word.replace("%s", str(candidate)) for word in step.validate]
        done = runner.run(argv, VALIDATE_TIMEOUT_S)
        shown = " ".join(step.validate).replace("%s", step.path)
        if done.rc == RC_NOT_FOUND and not Path(argv[0]).exists() and not shutil.which(argv[0]):
            return f"the validator {argv[0]} is not on this host"
        if done.rc == 0:
            return None
        words = f"{done.stderr.strip()}\n{done.stdout.strip()}".strip()
        words = words.replace(str(candidate), step.path)
        if step.secret:
            words = "(what it said is not shown, it may quote the secret)"
        raise FilesRefusedError(
            f"{step.path}: the new content was refused, nothing was written. "
            f"'{shown}' ended with {done.rc} and said:\n{words or '(nothing)'}"
        )
    finally:
        shutil.rmtree(private, ignore_errors=True)

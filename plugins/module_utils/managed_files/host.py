# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hands of managed_files: look at a host, try the validators, write, and take back.

All of it runs with the rights for the path at hand: root's where only root can change the folders
above it, else those of the account that can, in a process of its own (acting.py).
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import posixpath
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    ActingError,
    Crew,
    Rights,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    folder_of,
    link_target,
    make_folder,
    make_link,
    names_in,
    read_file,
    remove_file,
    remove_folder,
    set_attributes,
    status_of,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.plan import (
    Have,
    Scene,
    Step,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    FilesRefusedError,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import (
    RC_NOT_FOUND,
    Runner,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError

VALIDATE_TIMEOUT_S = 30


class FilesNotWrittenError(RuntimeError):
    """A write failed; what had been written before it is as it was again, or named."""


def rights_of(wants: Sequence[Want], crew: Crew) -> dict[str, Rights]:
    """With whose rights each path is read and written; raises FilesRefusedError."""
    found = {}
    for want in wants:
        owner = user_id(want.owner) if want.owner else None
        for path in filter(None, (want.path, want.record)):
            try:
                found[path] = crew.for_path(path, owner)
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
    """The number of a user given by name or number; None for a name nobody has."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def group_id(name: str) -> int | None:
    """The number of a group given by name or number; None for a name nobody has."""
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
        return _have(real, list_names=want.kind == "absent" or want.only is not None)
    except OSError as error:
        raise FilesRefusedError(_unreadable(path, error)) from error


def _unreadable(path: str, error: OSError) -> str:
    if isinstance(error, UntrustedPathError):
        return f"{path}: {error.strerror}. Nothing was written"
    if not isinstance(error, PermissionError):
        return f"{path} cannot be read: {error.strerror}. Nothing was written"
    return (
        f"{path} cannot be read with the rights of uid {os.geteuid()}: {error.strerror}; "
        f"see who owns it and its folder: sudo ls -ld {path} {posixpath.dirname(path)}"
    )


def _real_place(kind: str, path: str) -> str:
    """Where an account's path leads. Its last part is followed for what is edited in place,
    because it is somebody else's file, perhaps kept in a repository of theirs. Root follows
    nothing."""
    if os.geteuid() == 0:
        return path
    if kind in ("edits", "merge", "directory"):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return str(Path(os.path.realpath(folder), name))


def _have(real: str, list_names: bool = False) -> Have:
    parent = _parent_kind(posixpath.dirname(real))
    try:
        found = status_of(real)
    except (FileNotFoundError, NotADirectoryError):
        return Have(real, "absent", parent=parent, writable=_is_writable(real, None))
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


def apply(steps: Sequence[Step], rights: Mapping[str, Rights]) -> None:
    """Do all steps or none; raises FilesNotWrittenError after putting everything back."""
    done: list[Step] = []
    for step in steps:
        try:
            _rights_for(step, rights).call(DO[step.action], step)
        except (OSError, ActingError) as error:
            # the failed one goes first: it may have been half done (made, not yet its owner's)
            lost = _take_back([*done, step], rights)
            raise FilesNotWrittenError(_failure(step, error, len(done), lost)) from error
        except BaseException:
            _take_back([*done, step], rights)
            raise
        done.append(step)


def _rights_for(step: Step, rights: Mapping[str, Rights]) -> Rights:
    """Of the path itself, or of the folder whose `only` names it not."""
    return rights.get(step.path) or rights[posixpath.dirname(step.path)]


def _failure(step: Step, error: OSError | ActingError, before: int, lost: Sequence[str]) -> str:
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    words = f"{step.path} could not be changed ({step.action}): {why}{_hint(step, error)}. "
    if lost:
        return words + f"These could not be put back either: {', '.join(lost)}; look at them."
    if before:
        return words + f"The {before} changed before it are as they were again."
    return words + "Nothing else was changed."


def _hint(step: Step, error: OSError | ActingError) -> str:
    """What to look at for the errors whose own words do not say it."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, UntrustedPathError) or number not in (errno.EPERM, errno.EACCES):
        return ""
    folder = posixpath.dirname(step.have.real)
    return (
        f"; see owners, modes and flags (on a Mac, chflags nouchg takes an immutable one away): "
        f"sudo ls -ld{'O' if os.uname().sysname == 'Darwin' else ''} {folder} {step.have.real}"
    )


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
    if _same(_have(have.real), have):
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

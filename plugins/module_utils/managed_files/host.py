# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hands of managed_files: look at a host, try the validators, write, and take back."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import (
    remove_file,
    sync_folder,
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

VALIDATE_TIMEOUT_S = 30


class FilesNotWrittenError(RuntimeError):
    """A write failed; what had been written before it is as it was again, or named."""


def observe(wants: Sequence[Want], check_mode: bool) -> Scene:
    """Read everything the plan needs; raises FilesRefusedError for what cannot be read."""
    have = {}
    for want in wants:
        for path in (want.path, want.record):
            if path:
                have[path] = _look(want, path)
        if want.only is not None:
            for name in have[want.path].names:
                inside = str(Path(want.path, name))
                have[inside] = _look(replace(want, kind="file"), inside)
    return Scene(
        have=have,
        uids={want.owner: user_id(want.owner) for want in wants if want.owner},
        gids={want.group: group_id(want.group) for want in wants if want.group},
        euid=os.geteuid(),
        check_mode=check_mode,
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


def _look(want: Want, path: str) -> Have:
    real = _real_place(want.kind, path)
    try:
        return _have(real, list_names=want.kind == "absent" or want.only is not None)
    except OSError as error:
        raise FilesRefusedError(
            f"{path} cannot be looked at: {error.strerror}; run the task with become: true"
        ) from error


def _real_place(kind: str, path: str) -> str:
    """Parents are followed (/etc is /private/etc on a Mac). The last part is followed for what is
    edited in place, because it is somebody else's file, perhaps kept in a repository of theirs."""
    if kind in ("edits", "merge", "directory"):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return str(Path(os.path.realpath(folder), name))


def _have(real: str, list_names: bool = False) -> Have:
    parent = _parent_kind(str(Path(real).parent))
    try:
        found = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return Have(real, "absent", parent=parent)
    mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(real)  # noqa: PTH115 - Path would tidy it up
        return Have(real, "link", target=target, mode=mode, uid=uid, gid=gid)
    if stat.S_ISREG(found.st_mode):
        return Have(real, "file", data=Path(real).read_bytes(), mode=mode, uid=uid, gid=gid)
    if stat.S_ISDIR(found.st_mode):
        names = tuple(sorted(entry.name for entry in Path(real).iterdir())) if list_names else ()
        return Have(real, "directory", mode=mode, uid=uid, gid=gid, names=names)
    return Have(real, "other", mode=mode, uid=uid, gid=gid)


def _parent_kind(folder: str) -> str:
    if Path(folder).is_dir():
        return "directory"
    return "other" if os.path.lexists(folder) else "absent"


def try_validators(
    steps: Sequence[Step], runner: Runner, folder: str, check_mode: bool
) -> list[str]:
    """Show each new content to its validator; returns warnings, raises when one says no."""
    warnings = []
    for step in steps:
        if step.action == "write" and step.validate:
            missing = _validated(step, runner, folder)
            if missing and not check_mode:
                raise FilesRefusedError(
                    f"{step.path} cannot be checked: {missing}; nothing was written"
                )
            if missing:
                warnings.append(f"{step.path} was not checked: {missing}")
    return warnings


def _validated(step: Step, runner: Runner, folder: str) -> str | None:
    """None when the validator agrees, a sentence when it is not there."""
    private = tempfile.mkdtemp(prefix="closet-validate-", dir=folder)
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


def apply(steps: Sequence[Step]) -> None:
    """Do all steps or none; raises FilesNotWrittenError after putting everything back."""
    done: list[Step] = []
    for step in steps:
        try:
            DO[step.action](step)
        except OSError as error:
            # the failed one goes first: it may have been half done (made, not yet its owner's)
            lost = _take_back([*done, step])
            raise FilesNotWrittenError(_failure(step, error, len(done), lost)) from error
        except BaseException:
            _take_back([*done, step])
            raise
        done.append(step)


def _failure(step: Step, error: OSError, before: int, lost: Sequence[str]) -> str:
    words = f"{step.path} could not be changed ({step.action}): {error.strerror or error}. "
    if lost:
        return words + f"These could not be put back either: {', '.join(lost)}; look at them."
    if before:
        return words + f"The {before} changed before it are as they were again."
    return words + "Nothing else was changed."


def _take_back(steps: Sequence[Step]) -> list[str]:
    lost = []
    for step in reversed(steps):
        try:
            _put_back(step)
        except OSError:
            lost.append(step.path)
    return lost


def _put_back(step: Step) -> None:
    have = step.have
    if _same(_have(have.real), have):
        return
    if have.kind == "absent":
        if step.action == "mkdir":
            with contextlib.suppress(FileNotFoundError):
                Path(have.real).rmdir()
        else:
            remove_file(have.real)
    elif have.kind == "file":
        write_atomic(have.real, have.data, have.mode, have.uid, have.gid)
    elif have.kind == "link":
        _place_link(have.real, have.target, have.uid, have.gid)
    elif have.kind == "directory":
        if not Path(have.real).is_dir():
            Path(have.real).mkdir(mode=0o700)
        _set_attributes(have.real, have.mode, have.uid, have.gid)


def _same(now: Have, before: Have) -> bool:
    return replace(now, names=(), parent="") == replace(before, names=(), parent="")


def _write(step: Step) -> None:
    mode = 0o644 if step.mode is None else step.mode
    write_atomic(step.have.real, step.data, mode, step.uid, step.gid)


def _link(step: Step) -> None:
    _place_link(step.have.real, step.target, step.uid, step.gid)


def _place_link(real: str, target: str, uid: int | None, gid: int | None) -> None:
    folder = Path(real).parent
    private = tempfile.mkdtemp(prefix=".closet-link-", dir=folder)
    try:
        made = Path(private, "link")
        made.symlink_to(target)
        _set_attributes(str(made), None, uid, gid)
        made.replace(real)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    sync_folder(folder)


def _mkdir(step: Step) -> None:
    Path(step.have.real).mkdir(mode=0o700)
    _set_attributes(step.have.real, step.mode, step.uid, step.gid)
    sync_folder(Path(step.have.real).parent)


def _attributes(step: Step) -> None:
    _set_attributes(step.have.real, step.mode, step.uid, step.gid)


def _set_attributes(real: str, mode: int | None, uid: int | None, gid: int | None) -> None:
    if uid is not None or gid is not None:
        os.chown(
            real, -1 if uid is None else uid, -1 if gid is None else gid, follow_symlinks=False
        )
    if mode is not None:  # after chown, which may clear mode bits
        Path(real).chmod(mode)


def _unlink(step: Step) -> None:
    remove_file(step.have.real)


def _rmdir(step: Step) -> None:
    Path(step.have.real).rmdir()
    sync_folder(Path(step.have.real).parent)


DO: dict[str, Callable[[Step], None]] = {
    "write": _write,
    "link": _link,
    "mkdir": _mkdir,
    "attributes": _attributes,
    "unlink": _unlink,
    "rmdir": _rmdir,
}

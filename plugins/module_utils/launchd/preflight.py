# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements of a job before it changes, with one sentence for each that is not met."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.explain import (
    jetsam_sentence,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import program_of
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    FileKind,
    Have,
    Override,
    Plan,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.plan import definition
from ansible_collections.closet.inference.plugins.module_utils.launchd.trust import unsafe_parts

_STARTS = {Step.BOOTSTRAP, Step.KICKSTART}
_GROUP_OR_WORLD_WRITABLE = 0o022


def refusals(want: Want, have: Have, plan: Plan) -> list[str]:
    """What no other task can mend: these fail in check mode as well."""
    if not plan.changed:
        return []
    found = []
    kind = have.file.kind
    if kind is FileKind.OTHER:
        found.append(f"{want.path} is not a file; move it out of the way")
    if kind is FileKind.UNREADABLE:
        found.append(f"{want.path} cannot be read; run the task with become")
    if Step.BOOTSTRAP in plan.steps:
        found += _session_mismatch(want, have)
        if want.plist is None:
            found += _unfit_foreign_plist(want, have)
    if want.domain.kind == "system" and _STARTS & set(plan.steps):
        found += unsafe_parts(definition(want, have))
    return found


def lacks(want: Want, have: Have, plan: Plan) -> list[str]:
    """What an earlier task of the same run may still make: in check mode these only warn."""
    if not plan.changed:
        return []
    found = []
    if want.domain.missing_user:
        found.append(f"there is no user '{want.domain.missing_user}' for {want.domain.name}")
    if os.geteuid() != 0 and want.domain.kind == "system":
        found.append("jobs of the system domain are changed by root only; run the task with become")
    if Step.WRITE in plan.steps and not _may_make_folder(want):
        found.append(f"the folder {Path(want.path).parent} for the plist does not exist")
    if Step.BOOTSTRAP in plan.steps and want.plist is None and have.file.kind is FileKind.ABSENT:
        found.append(f"there is no {want.path}, and no `plist` is given to write it from")
    if _STARTS & set(plan.steps):
        found += _lacks_of(definition(want, have), want, have)
    return found


def remarks(want: Want, have: Have, plan: Plan) -> list[str]:
    """What is worth knowing though it stops nothing."""
    found = list(want.warnings)
    loaded_path = have.job.path if have.job else None
    if want.state == "absent" and loaded_path and loaded_path != want.path:
        found.append(f"{want.label} was loaded from {loaded_path}, which stays where it is")
    is_foreign_link = want.plist is None and have.file.kind is FileKind.LINK
    if is_foreign_link and Step.BOOTSTRAP in plan.steps:
        found.append(f"{want.path} is a symbolic link; macOS 14 and later may ignore it at boot")
    runs_on = want.state in ("started", "restarted", "loaded") and not want.enabled
    if runs_on and plan.changed and definition(want, have).get("KeepAlive"):
        found.append(f"{want.label} is disabled: launchd will not start it again when it ends")
    if have.override is Override.UNKNOWN:
        found.append(f"cannot read which labels of {want.domain.name} are disabled")
    if want.domain.kind == "system" and have.job is not None and not plan.changed:
        found += [f"{want.label}: {part}" for part in unsafe_parts(definition(want, have))]
    return found if plan.changed else found + troubles(have)


def troubles(have: Have) -> list[str]:
    """What is wrong with the job as it runs, in a sentence; nothing when it looks healthy."""
    job = have.job
    if job is None:
        return []
    if have.jetsam:
        return [jetsam_sentence(job.target, have.jetsam, job.runs)]
    if have.may_be_crashing:
        return [
            f"{job.target} may be crashing: launchd has started it {job.runs} times, it ended with "
            f"{job.last_exit_text} before, and its process is {have.age_s} s old"
        ]
    crashes = job.values.get("successive crashes")
    if not crashes:
        return []
    return [f"{job.target} has crashed {crashes} times in a row; last exit {job.last_exit_text}"]


def _session_mismatch(want: Want, have: Have) -> Iterator[str]:
    plist = definition(want, have)
    session = plist.get("LimitLoadToSessionType")
    sessions = session if isinstance(session, list) else [session]
    if want.domain.kind == "user" and plist and "Background" not in sessions:
        yield (
            f"a job in {want.domain.name} needs `LimitLoadToSessionType: Background` in its plist, "
            f"or launchd refuses it with 134"
        )


def _unfit_foreign_plist(want: Want, have: Have) -> Iterator[str]:
    file, path = have.file, shlex.quote(want.path)
    if file.kind is FileKind.BROKEN:
        yield f"{want.path} is not a property list; check it: `plutil -lint {path}`"
    if file.quarantined:
        yield (
            f"{want.path} was downloaded and carries a quarantine mark, so launchd refuses it with "
            f"155; if you trust it, run `sudo xattr -d com.apple.quarantine {path}`"
        )
    if file.content is None:
        return
    label = file.content.get("Label")
    if label != want.label:
        yield f"{want.path} has the Label '{label}', not '{want.label}'"
    unfit = file.uid != want.uid or file.mode & _GROUP_OR_WORLD_WRITABLE
    if unfit and want.domain.kind == "system":
        yield (
            f"{want.path} belongs to uid {file.uid} with mode {file.mode:04o}, and launchd refuses "
            f"what others than root can write; run `sudo chown 0:0 {path} && sudo chmod 0644 "
            f"{path}`"
        )


def _may_make_folder(want: Want) -> bool:
    """A user's folder for agents may be missing on a fresh account; we make that one only."""
    folder = Path(want.path).parent
    home = want.domain.home
    own = home is not None and str(folder) == f"{home}/Library/LaunchAgents"
    return folder.is_dir() or (own and folder.parent.is_dir())


def _lacks_of(plist: Mapping[str, Any], want: Want, have: Have) -> Iterator[str]:
    user = _account(plist, want)
    if "UserName" in plist and user is None:
        yield f"the user '{plist['UserName']}' that the job runs as does not exist"
    if "GroupName" in plist and not _group_exists(plist["GroupName"]):
        yield f"the group '{plist['GroupName']}' that the job runs as does not exist"
    if "RootDirectory" in plist:
        return  # every path below is another one for the job
    yield from _program_lacks(plist)
    folder = plist.get("WorkingDirectory")
    if folder is not None and not Path(folder).is_dir():
        yield f"its working directory {folder} does not exist"
    for key in ("StandardOutPath", "StandardErrorPath"):
        if key in plist and plist[key] not in have.missing_logs:
            yield from _log_lacks(key, Path(plist[key]), user)


def _program_lacks(plist: Mapping[str, Any]) -> Iterator[str]:
    program = program_of(plist)
    if program is None or not program.startswith("/"):
        return
    if not Path(program).exists():
        yield f"its program {program} does not exist"
    elif not Path(program).is_file() or not Path(program).stat().st_mode & 0o111:
        yield f"its program {program} is not an executable file"


def _log_lacks(key: str, log: Path, user: pwd.struct_passwd | None) -> Iterator[str]:
    if log.is_dir():
        yield f"{key} {log} is a folder"
    elif not log.parent.is_dir():
        yield (
            f"the folder {log.parent} of {key} does not exist, and launchd would make it for root "
            f"only"
        )
    elif user is not None and not _may_write(log if log.exists() else log.parent, user):
        yield f"the user '{user.pw_name}' cannot write {key} {log}, so launchd could not start it"


def _account(plist: Mapping[str, Any], want: Want) -> pwd.struct_passwd | None:
    """The account of the job; None if it names none, or if the account does not exist."""
    try:
        if "UserName" in plist and want.domain.kind == "system":
            return pwd.getpwnam(plist["UserName"])
        return None if want.domain.uid is None else pwd.getpwuid(want.domain.uid)
    except KeyError:
        return None


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _may_write(path: Path, user: pwd.struct_passwd) -> bool:
    """By owner, group and mode; a folder needs to be entered as well."""
    found = path.stat()
    needed = 0o3 if stat.S_ISDIR(found.st_mode) else 0o2
    is_plain = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    if user.pw_uid == 0 or not is_plain:
        return True
    if found.st_uid == user.pw_uid:
        shift = 6
    else:
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        shift = 3 if found.st_gid in groups else 0
    return (found.st_mode >> shift) & needed == needed

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the arguments of a task to what is wanted, and from the machine to what there is."""

from __future__ import annotations

import os
import plistlib
import pwd
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import ActingError, Processes
from ansible_collections.closet.inference.plugins.module_utils.launchd.dates import unwrapped
from ansible_collections.closet.inference.plugins.module_utils.launchd.keys import check_plist
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    FileKind,
    FileState,
    Have,
    JobError,
    Override,
    Presence,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import stamped
from ansible_collections.closet.inference.plugins.module_utils.launchd.trust import missing_logs
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import UntrustedPathError

QUARANTINE = "com.apple.quarantine"
_LONGEST_LABEL = 200  # its file name, and the one it has while it is written, must fit 255 bytes


def want_from(arguments: Mapping[str, Any]) -> Want:
    """Arguments of one job, checked; raises JobError with a sentence for each thing wrong."""
    label = _checked_label(arguments.get("label") or "")
    domain = parse_domain(arguments.get("domain") or "system")
    plist = unwrapped(arguments.get("plist"))
    _check_combination(label, arguments)
    path = arguments.get("path")
    if path is not None and not path.startswith("/"):
        raise JobError(f"{label}: path must be absolute, not '{path}'.")
    path_is_given = path is not None
    path = path or default_path(domain, label)
    owner = _owner(domain, path)
    return Want(
        label=label,
        domain=domain,
        path=path,
        state=arguments.get("state") or "started",
        enabled=arguments.get("enabled") is not False,
        plist=None if plist is None else _definition(label, plist, arguments.get("restart_on")),
        uid=owner[0],
        gid=owner[1],
        path_is_given=path_is_given,
        on_change=arguments.get("on_change") or "reload",
        completed=bool(arguments.get("completed")),
        settle_s=_seconds(arguments, "settle_s", 3.0),
        timeout_s=_seconds(arguments, "timeout_s", 30.0),
        before_stop=tuple(arguments.get("before_stop") or ()),
        before_stop_timeout_s=_seconds(arguments, "before_stop_timeout_s", 60.0),
        warnings=_remarks(label, domain, plist or {}),
    )


def parse_domain(text: str) -> Domain:
    """`system`, `user/UID or name`, `gui/UID or name`; the home is where agents are kept."""
    if text == "system":
        return Domain("system")
    kind, slash, who = text.partition("/")
    if kind not in ("user", "gui") or not slash or not who:
        raise JobError(
            f"'{text}' is not a domain; say 'system', 'user/<uid or name>' or 'gui/<uid or name>'."
        )
    try:
        account = pwd.getpwuid(int(who)) if who.isdigit() else pwd.getpwnam(who)
    except KeyError:
        if who.isdigit():
            return Domain(text, uid=int(who), gid=0)
        return Domain(text, missing_user=who)
    name = f"{kind}/{account.pw_uid}"
    return Domain(name, account.pw_uid, account.pw_gid, account.pw_dir)


def default_path(domain: Domain, label: str) -> str:
    """Where a plist of this domain is kept."""
    if domain.kind == "system":
        return f"/Library/LaunchDaemons/{label}.plist"
    if domain.home is None:
        return f"/Library/LaunchAgents/{label}.plist"
    return f"{domain.home}/Library/LaunchAgents/{label}.plist"


def observe(
    launchctl: Launchctl, want: Want, disabled: Mapping[str, bool] | None, processes: Processes
) -> tuple[Want, Have]:
    """What there is; the wanted path follows the loaded job where the plist is not ours."""
    if want.domain.missing_user:
        return want, Have(Presence.ABSENT)
    presence, job, result = launchctl.probe(want.target)
    shown = job.path if job else None
    if want.plist is None and not want.path_is_given and shown and shown.startswith("/"):
        want = replace(want, path=shown)
    override = Override.UNKNOWN
    if disabled is not None:
        words = {None: Override.UNSET, True: Override.DISABLED, False: Override.ENABLED}
        override = words[disabled.get(want.label)]
    said = " ".join(result.stderr.split()) or "launchctl gave no reason"
    probe = f"`{' '.join(result.argv)}` ended with {result.rc}: {said}"
    if result.rc == 0:
        probe = f"`{' '.join(result.argv)}` printed something that is not this job"
    file = file_at(want.path, processes)
    age_s = None
    if (
        job is not None
        and job.pid is not None
        and (job.was_restarted_after_a_bad_end or job.jetsam)
    ):
        age_s = process_age_s(launchctl.runner, job.pid)
    plist = want.plist if want.plist is not None else file.content or {}
    logs = missing_logs(plist) if want.domain.kind == "system" and os.geteuid() == 0 else ()
    return want, Have(presence, job, file, override, probe, age_s, logs)


def file_at(path: str, processes: Processes) -> FileState:
    """The plist, read with the rights of who can change the folder that it is in."""
    try:
        return processes.for_path(path).call(read_plist, path)
    except UntrustedPathError:
        return FileState(FileKind.UNREADABLE)  # root reads nothing where several accounts write
    except ActingError as error:
        raise JobError(f"{path} was not read: {error}.") from error


def process_age_s(runner: Runner, pid: int) -> int | None:
    """Seconds that a process lives, from ps(1), which says [[days-]hours:]minutes:seconds."""
    result = runner.run(["/bin/ps", "-o", "etime=", "-p", str(pid)])
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", result.stdout.strip())
    if result.rc != 0 or found is None:
        return None
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def is_quarantined(runner: Runner, path: str) -> bool:
    """Whether a file carries the mark of a download, which launchd refuses with 155."""
    return runner.run(["/usr/bin/xattr", "-p", QUARANTINE, path]).rc == 0


def read_plist(path: str) -> FileState:
    """The file at `path`; a symbolic link is followed, but remembered as one."""
    try:
        found = os.lstat(path)
        is_link = stat.S_ISLNK(found.st_mode)
        if is_link:
            found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            return FileState(FileKind.OTHER)
        data = Path(path).read_bytes()
    except FileNotFoundError:
        dangling = os.path.lexists(path)
        return FileState(FileKind.LINK if dangling else FileKind.ABSENT)
    except OSError:
        return FileState(FileKind.UNREADABLE)
    content = _parsed(data)
    kind = FileKind.BROKEN if content is None else FileKind.PLIST
    mode = stat.S_IMODE(found.st_mode)
    return FileState(
        FileKind.LINK if is_link else kind, content, data, found.st_uid, found.st_gid, mode
    )


def _parsed(data: bytes) -> Mapping[str, Any] | None:
    try:
        content = plistlib.loads(data)
    except Exception:  # a damaged file makes plistlib and expat raise almost anything
        return None
    return content if isinstance(content, dict) else None


def _checked_label(label: str) -> str:
    if not label:
        raise JobError("a job needs a label, such as 'inference.closet.omlx'.")
    if "/" in label:
        raise JobError(
            f"the label '{label}' contains a slash; the domain is a parameter of its own."
        )
    if re.search(r"[\s\x00-\x1f\"]", label) or label.startswith("."):
        raise JobError(f"the label {label!r} contains a character that a label cannot have.")
    if len(label.encode()) > _LONGEST_LABEL:
        raise JobError(f"the label '{label[:40]}…' is longer than {_LONGEST_LABEL} bytes.")
    return label


def _check_combination(label: str, arguments: Mapping[str, Any]) -> None:
    plist, state = arguments.get("plist"), arguments.get("state") or "started"
    if plist is None and arguments.get("restart_on") is not None:
        raise JobError(
            f"{label}: restart_on is kept in the job's definition, so it needs `plist`; for a "
            f"plist that is not ours use `state: restarted` when something changed."
        )
    before_stop = arguments.get("before_stop") or []
    if before_stop and not before_stop[0].startswith("/"):
        raise JobError(
            f"{label}: before_stop starts with '{before_stop[0]}'; it is the absolute path of a "
            f"program and its words."
        )
    if not arguments.get("completed"):
        return
    if state not in ("loaded", "restarted"):
        raise JobError(
            f"{label}: `completed` is for a job that runs once and ends, with state 'loaded' or "
            f"'restarted'; state '{state}' asks for something else."
        )
    if (plist or {}).get("KeepAlive") is True:
        raise JobError(f"{label}: a job with `KeepAlive: true` never completes.")


def _definition(label: str, plist: Mapping[str, Any], restart_on: Any) -> Mapping[str, Any]:
    own = plist.get("Label", label)
    if own != label:
        raise JobError(f"the label is '{label}', but the plist says Label '{own}'; drop it there.")
    problems = check_plist(plist)
    if problems:
        raise JobError(f"the plist of {label} is wrong: {'; '.join(problems)}.")
    return stamped({"Label": label, **plist}, restart_on)


def _remarks(label: str, domain: Domain, plist: Mapping[str, Any]) -> tuple[str, ...]:
    """What launchd takes and then does not do (launchd.plist(5))."""
    found = []
    if domain.kind != "system" and ("UserName" in plist or "GroupName" in plist):
        found.append("UserName and GroupName count in the system domain only")
    if plist.get("ThrottleInterval") == 0:
        found.append("launchd ignores ThrottleInterval 0 and uses 10")
    keep_alive = plist.get("KeepAlive")
    if isinstance(keep_alive, Mapping) and "NetworkState" in keep_alive:
        found.append("KeepAlive.NetworkState is no longer implemented")
    return tuple(f"{label}: {remark}" for remark in found)


def _owner(domain: Domain, path: str) -> tuple[int, int]:
    """root:wheel, except for what lies in the home of the domain's own user."""
    at_home = domain.home is not None and path.startswith(domain.home.rstrip("/") + "/")
    if at_home and domain.uid is not None:
        return domain.uid, domain.gid or 0
    return 0, 0


def _seconds(arguments: Mapping[str, Any], name: str, default: float) -> float:
    value = arguments.get(name)
    if value is None:
        return default
    if float(value) < 0:
        raise JobError(f"{name} must not be negative.")
    return float(value)

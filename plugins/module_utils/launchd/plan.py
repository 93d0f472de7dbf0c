# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the present to the wanted state, and their reasons. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.launchd.drift import loaded_drift
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    FileKind,
    FileState,
    Have,
    JobError,
    Override,
    Plan,
    Presence,
    Step,
    Want,
    plist_bytes,
)


def plan(want: Want, have: Have) -> Plan:
    """The steps that lead from `have` to `want`; raises JobError where that cannot be known.

    A reload is bootout, write, bootstrap in this order: a run that is cut off in between leaves
    either the old file or no job, and the next run sees both.
    """
    _refuse_the_unknown(want, have)
    if want.state == "absent":
        return _plan_absent(want, have)
    if want.state == "stopped":
        return _plan_stopped(want, have)
    log = (Step.MAKE_LOG,) if have.missing_logs else ()
    drift = (
        *(("log",) if log else ()),
        *file_drift(want, have),
        *_job_drift(want, have),
        *_override_drift(want, have),
    )
    if have.presence is not Presence.LOADED:
        return Plan((*log, *_load(want, have), *_verify(want)), drift)
    if needs_reload(want, have):
        return Plan((*log, Step.BOOTOUT, *_load(want, have), *_verify(want)), drift)
    rewrite = (Step.WRITE,) if file_drift(want, have) else ()
    run, verify = _run(want, have)
    override = _set_override(want, have)
    # a process that ignores SIGTERM is loaded anew, which needs the label to be enabled
    changes = (*override, *run) if want.enabled else (*run, *override)
    return Plan((*log, *rewrite, *changes, *verify), drift)


def definition(want: Want, have: Have) -> Mapping[str, Any]:
    """The definition for launchd: the wanted one, or else the one on disk."""
    if want.plist is not None:
        return want.plist
    return have.file.content or {}


def starts_by_itself(plist: Mapping[str, Any]) -> bool:
    """Whether launchd starts the job when it is loaded; KeepAlive in any form implies it."""
    keep_alive = plist.get("KeepAlive")
    return bool(plist.get("RunAtLoad")) or bool(keep_alive)


def file_drift(want: Want, have: Have) -> tuple[str, ...]:
    """How the plist file differs from the wanted one; nothing when it is not ours."""
    file = have.file
    if want.plist is None:
        return ()
    if file.kind is not FileKind.PLIST or not _same_content(file, want):
        return ("file",)
    if file.quarantined:
        return ("file_quarantine",)
    owner = (file.uid, file.gid) != (want.uid, want.gid)
    return (
        *(("file_owner",) if owner else ()),
        *(("file_mode",) if file.mode != want.mode else ()),
    )


def _same_content(file: FileState, want: Want) -> bool:
    """As a property list, in which 1 is not true."""
    return plist_bytes(file.content or {}) == plist_bytes(want.plist or {})


def needs_reload(want: Want, have: Have) -> bool:
    """Whether launchd must forget the loaded job and read its definition again."""
    if have.job is None or have.job.leaving:
        return True
    if want.on_change == "defer" and want.state != "restarted":
        return False
    changed_file = "file" in file_drift(want, have)
    return changed_file or bool(_definition_drift(want, have))


def is_disabled(want: Want, have: Have) -> bool:
    """Whether launchd refuses to load the label; Disabled counts where the store has no entry."""
    if have.override is Override.UNSET:
        return bool(definition(want, have).get("Disabled"))
    return have.override is Override.DISABLED


def _refuse_the_unknown(want: Want, have: Have) -> None:
    if have.presence is Presence.UNKNOWN:
        raise JobError(
            f"cannot tell whether {want.target} is loaded, so nothing was done. {have.probe}"
        )
    if have.presence is Presence.NO_DOMAIN and want.state not in ("absent", "stopped"):
        raise JobError(
            f"the domain {want.domain.name} does not exist: it lives only while that user is "
            f"logged in at the screen. Use domain 'system' with UserName in the plist for a job "
            f"that runs while no user is logged in, or 'user/{want.domain.uid}' with "
            f"LimitLoadToSessionType Background. {have.probe}".rstrip()
        )
    needs_to_know = want.state in ("started", "restarted") or want.completed
    if needs_to_know and have.presence is Presence.LOADED and have.running is None:
        raise JobError(
            f"{want.target} is loaded, but the output of launchctl does not say whether it runs, "
            f"so nothing was done. Check the output: `launchctl print {want.target}`"
        )


def _plan_absent(want: Want, have: Have) -> Plan:
    loaded = have.presence is Presence.LOADED
    exists = have.file.kind is not FileKind.ABSENT
    steps = (*((Step.BOOTOUT,) if loaded else ()), *((Step.REMOVE,) if exists else ()))
    return Plan(steps, (*(("loaded",) if loaded else ()), *(("file",) if exists else ())))


def _plan_stopped(want: Want, have: Have) -> Plan:
    loaded = have.presence is Presence.LOADED
    files = file_drift(want, have)
    steps = (
        *((Step.BOOTOUT,) if loaded else ()),
        *((Step.WRITE,) if files else ()),
        *_set_override(want, have),
    )
    drift = (*files, *(("loaded",) if loaded else ()), *_override_drift(want, have))
    return Plan(steps, drift)


def _load(want: Want, have: Have) -> tuple[Step, ...]:
    """From not loaded to loaded. A disabled label cannot be loaded, so it is enabled meanwhile."""
    disabled = is_disabled(want, have)
    unknown = have.override is Override.UNKNOWN
    write = (Step.WRITE,) if file_drift(want, have) else ()
    enable = (Step.ENABLE,) if disabled or unknown else ()
    disable = () if want.enabled else (Step.DISABLE,)
    needs_kick = _must_run(want) and not starts_by_itself(definition(want, have))
    kick = (Step.KICKSTART,) if needs_kick else ()
    return (*write, *enable, Step.BOOTSTRAP, *kick, *disable)


def _run(want: Want, have: Have) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The steps to run and to verify a job that is loaded with the wanted definition."""
    stop = (Step.STOP,) if have.running else ()
    if want.state == "restarted":
        return (*stop, Step.KICKSTART), _verify(want)
    if want.completed:
        if have.running:
            return (), (Step.COMPLETE,)
        return ((), ()) if _has_completed(have) else ((Step.KICKSTART,), (Step.COMPLETE,))
    if want.state == "started" and not have.running:
        return (Step.KICKSTART,), (Step.SETTLE,)
    watch = want.state == "started" and have.may_be_crashing
    return (), (Step.SETTLE,) if watch else ()


def _verify(want: Want) -> tuple[Step, ...]:
    if want.completed:
        return (Step.COMPLETE,)
    return (Step.SETTLE,) if want.state in ("started", "restarted") else ()


def _must_run(want: Want) -> bool:
    return want.completed or want.state in ("started", "restarted")


def _has_completed(have: Have) -> bool:
    return have.job is not None and bool(have.job.runs) and have.job.last_exit == 0


def _set_override(want: Want, have: Have) -> tuple[Step, ...]:
    if not _override_drift(want, have):
        return ()
    return (Step.ENABLE,) if want.enabled else (Step.DISABLE,)


def _override_drift(want: Want, have: Have) -> tuple[str, ...]:
    """An override that could not be read is left alone."""
    if have.override is Override.UNKNOWN:
        return ()
    return ("override",) if is_disabled(want, have) == want.enabled else ()


def _definition_drift(want: Want, have: Have) -> list[str]:
    plist = definition(want, have)
    if have.job is None or not plist:
        return []
    path = want.path if want.plist is not None or want.path_is_given else None
    return loaded_drift(plist, path, have.job)


def _job_drift(want: Want, have: Have) -> tuple[str, ...]:
    if have.presence is not Presence.LOADED:
        return ("loaded",)
    names = _definition_drift(want, have)
    idle = want.state == "started" and not have.running
    unfinished = want.completed and not have.running and not _has_completed(have)
    return (
        *names,
        *(("running",) if idle else ()),
        *(("completed",) if unfinished else ()),
    )

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the present to the wanted files; a pure function."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.closet.inference.plugins.module_utils.managed_files.entries import shown
from ansible_collections.closet.inference.plugins.module_utils.managed_files.merge import (
    Merged,
    MergeRefusedError,
    Record,
    UnreadableError,
    alone,
    merged,
    read_record,
    record_data,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    Have,
    Plan,
    Scene,
    Step,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.rights import (
    left_alone,
    told,
    with_rights,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.steps import (
    by_hand,
    content_step,
    step_for,
)

SHOWN_NAMES = 3


def plan(wants: Sequence[Want], scene: Scene) -> Plan:
    """The steps that make every want true; planning again after applying them gives none."""
    made = Plan()
    folders: set[str] = set()
    gone: set[str] = set()
    late: list[Step] = []
    for want in wants:
        have = scene.have[want.path]
        problem = _in_the_way(want, have) or _still_holds(want, have, gone)
        if problem:
            made.problems.append(told(want, have, scene, problem))
            continue
        if want.kind == "absent":
            gone.add(have.real)
            made.steps.extend(_absent_steps(want, have))
            continue
        if want.kind == "directory":
            folders.add(have.real)
            late += _plan_only(want, have, scene, made)
        _check_parent(want, have, folders, scene, made)
        uid, gid = _ids(want, scene, made)
        if want.program:
            account = scene.accounts.get(want.path)
            uid = account.uid if account else scene.euid
        if want.kind == "merge":
            _plan_merge(want, (uid, gid), folders, scene, made)
            continue
        step = step_for(want, have, uid, gid, made)
        if step and want.kind == "edits" and not have.writable:
            made.warnings.append(left_alone(want, have, scene))
        elif step:
            made.steps += with_rights(want, step, scene, made)
    made.steps += late
    return made


def _in_the_way(want: Want, have: Have) -> str | None:
    """Why what is there must not be replaced or removed; None when it may."""
    if have.kind == "other":
        return "is neither a file nor a folder nor a link"
    if have.kind == "link" and want.kind in ("directory", "edits", "merge"):
        return f"is a symbolic link to {have.target}, which root does not follow"
    if want.kind == "directory":
        return None if have.kind in ("absent", "directory") else "is a file, not a folder"
    if want.kind == "link" and have.kind in ("file", "directory"):
        return f"is a {_word(have.kind)}, and a link there would replace it"
    if want.kind in ("file", "edits", "merge") and have.kind == "directory":
        return "is a folder, not a file"
    return None


def _still_holds(want: Want, have: Have, gone: set[str]) -> str | None:
    """Why a folder must not be removed."""
    if want.kind == "absent" and have.kind == "directory":
        left = [name for name in have.names if posixpath.join(have.real, name) not in gone]
        if left:
            more = f" and {len(left) - SHOWN_NAMES} more" if len(left) > SHOWN_NAMES else ""
            return f"is a folder that still holds {', '.join(left[:SHOWN_NAMES])}{more}"
    return None


def _word(kind: str) -> str:
    return "folder" if kind == "directory" else kind


def _absent_steps(want: Want, have: Have) -> list[Step]:
    if have.kind == "absent":
        return []
    action = "rmdir" if have.kind == "directory" else "unlink"
    return [Step(want.path, action, have, secret=want.secret)]


def _check_parent(want: Want, have: Have, folders: set[str], scene: Scene, made: Plan) -> None:
    parent = posixpath.dirname(have.real)
    if have.kind != "absent" or have.parent == "directory" or parent in folders:
        return
    if want.kind in ("edits", "merge") and want.state != "present":
        return
    if have.parent == "other":
        made.problems.append(f"{want.path} cannot be: {parent} is not a folder")
    elif scene.check_mode:
        made.warnings.append(f"{want.path} needs the folder {parent}, which is not there yet")
    else:
        made.problems.append(
            f"{want.path} needs the folder {parent}, which is not there; list it before the file "
            "with state directory"
        )


def _ids(want: Want, scene: Scene, made: Plan) -> tuple[int | None, int | None]:
    found = []
    tables = (("user", want.owner, scene.uids), ("group", want.group, scene.gids))
    for what, name, table in tables:
        number = None if name is None else table[name]
        if name is not None and number is None:
            words = f"{want.path} must belong to the {what} {name}, which this host does not have"
            (made.warnings if scene.check_mode else made.problems).append(words)
        found.append(number)
    return found[0], found[1]


def _plan_only(want: Want, have: Have, scene: Scene, made: Plan) -> list[Step]:
    """What may not be in a folder that is ours alone goes, unless it is a folder itself.

    It goes last: another file of the run may have named it until now.
    """
    steps = []
    for name in have.names if want.only is not None else ():
        path = posixpath.join(want.path, name)
        if name in (want.only or ()):
            continue
        found = scene.have[path]
        if found.kind in ("file", "link"):
            steps.append(Step(path, "unlink", found, secret=want.secret))
        else:
            made.problems.append(f"{path} is not to be there and is no file; remove it by hand")
    return steps


def _plan_merge(
    want: Want, ids: tuple[int | None, int | None], folders: set[str], scene: Scene, made: Plan
) -> None:
    """Three steps: the record of all that was and will be ours, the file, the record again."""
    have, kept = scene.have[want.path], scene.have[want.record]
    book = Want(path=want.record, kind="file", owner=want.owner, group=want.group, mode=0o600)
    problem = _in_the_way(book, kept)
    if problem:
        made.problems.append(told(book, kept, scene, problem))
        return
    try:
        record = read_record(kept.data) if kept.kind == "file" else Record()
    except MergeRefusedError as error:
        made.problems.append(told(book, kept, scene, str(error)))
        return
    if kept.kind == "absent" and not want.entries:
        return  # nothing of ours is in it, or was
    try:
        text = None if have.kind == "absent" else have.data.decode("utf-8", "surrogateescape")
        done = merged(text, record, want.entries)
    except UnreadableError as error:
        if want.entries:
            made.problems.append(by_hand(want.path, error, alone(want.entries), want.secret))
            return
        # their mistake must not stop what has nothing to do with it; the record waits
        made.warnings.append(
            f"{want.path} cannot be edited: {error}. It may still hold "
            f"{', '.join(map(shown, record.places))}, which is no longer wanted: mend it and run "
            "this again"
        )
        return
    except MergeRefusedError as error:
        made.problems.append(f"{want.path} {error}")
        return
    if done.before:
        _check_parent(book, kept, folders, scene, made)
    steps = _merge_steps(want, book, (have, kept), ids, done)
    if not have.writable and any(step.path == want.path for step in steps):
        made.warnings.append(left_alone(want, have, scene))
        return
    for step in steps:
        made.steps += with_rights(want, step, scene, made)


def _merge_steps(
    want: Want,
    book: Want,
    haves: tuple[Have, Have],
    ids: tuple[int | None, int | None],
    done: Merged,
) -> list[Step]:
    have, kept = haves
    steps: list[Step | None] = []
    if done.before:
        data = record_data(done.before, want.path)
        first = content_step(book, kept, data, *ids)
        steps.append(first and replace(first, bookkeeping=True))
        # what the last step finds and would take back to
        uid, gid = (
            given if given is not None else now for given, now in zip(ids, (kept.uid, kept.gid))
        )
        kept = replace(kept, kind="file", data=data, mode=0o600, uid=uid, gid=gid)
    if done.text is not None:
        data = done.text.encode("utf-8", "surrogateescape")
        steps.append(content_step(want, have, data, *ids))
    elif have.kind != "absent":
        steps.append(Step(want.path, "unlink", have, secret=want.secret))
    if done.after:
        last = content_step(book, kept, record_data(done.after, want.path), *ids)
        steps.append(last and replace(last, bookkeeping=True))
    elif kept.kind != "absent":
        steps.append(Step(book.path, "unlink", kept, bookkeeping=True))
    return [step for step in steps if step]

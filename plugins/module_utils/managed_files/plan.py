# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what shall be there and what is there to the steps between them; a pure function."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.closet.inference.plugins.module_utils.managed_files.edits import (
    DamagedBlockError,
    MisfitError,
    edited,
)
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
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.rights import (
    left_alone,
    told,
    with_rights,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import Want

DEFAULT_MODE = {"file": 0o644, "edits": 0o644, "merge": 0o600, "directory": 0o755}
SECRET_MODE = 0o600
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
        step = _step(want, have, uid, gid, made)
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
            words = f"{want.path} shall belong to the {what} {name}, whom this host does not know"
            (made.warnings if scene.check_mode else made.problems).append(words)
        found.append(number)
    return found[0], found[1]


def _step(want: Want, have: Have, uid: int | None, gid: int | None, made: Plan) -> Step | None:
    if want.kind == "link":
        differs = have.kind != "link" or have.target != want.target
        action = "link" if differs else "attributes"
        step = Step(want.path, action, have, target=want.target, uid=uid, gid=gid)
        return step if differs or _attributes_differ(step, have) else None
    if want.kind == "directory":
        return _directory_step(want, have, uid, gid)
    data = _wanted_data(want, have, made)
    if data is None:
        return None
    if _nothing_left(want, have, data):
        return Step(want.path, "unlink", have, secret=want.secret)
    return _content_step(want, have, data, uid, gid)


def _content_step(
    want: Want, have: Have, data: bytes, uid: int | None, gid: int | None
) -> Step | None:
    mode = _file_mode(want, have)
    kept = have if have.kind == "file" else None  # what is not asked for stays as it was
    if kept and want.kind in ("edits", "merge"):
        uid, gid = kept.uid, kept.gid  # somebody else's file
    step = Step(
        want.path,
        "write",
        have,
        data=data,
        mode=mode,
        uid=kept.uid if uid is None and kept else uid,
        gid=kept.gid if gid is None and kept else gid,
        validate=want.validate,
        secret=want.secret,
    )
    if have.kind != "file" or have.data != data:
        return step
    if _attributes_differ(step, have):
        return Step(want.path, "attributes", have, mode=mode, uid=uid, gid=gid, secret=want.secret)
    return None


def _directory_step(want: Want, have: Have, uid: int | None, gid: int | None) -> Step | None:
    if have.kind == "absent":
        mode = DEFAULT_MODE["directory"] if want.mode is None else want.mode
        return Step(want.path, "mkdir", have, mode=mode, uid=uid, gid=gid)
    step = Step(want.path, "attributes", have, mode=want.mode, uid=uid, gid=gid)
    return step if _attributes_differ(step, have) else None


def _wanted_data(want: Want, have: Have, made: Plan) -> bytes | None:
    """The whole new content; None when nothing shall be there or it cannot be said."""
    if want.kind == "file":
        return want.data
    if have.kind == "absent" and want.state == "absent":
        return None
    text = have.data.decode("utf-8", "surrogateescape")
    for edit in want.edits:
        try:
            text = edited(text, edit)
        except DamagedBlockError as error:
            made.problems.append(f"{want.path}: {error}; put the markers right by hand")
            return None
        except MisfitError as error:
            made.problems.append(_by_hand(want.path, error, edit.text or "", edit.secret))
            return None
    return text.encode("utf-8", "surrogateescape")


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
            made.problems.append(_by_hand(want.path, error, alone(want.entries), want.secret))
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
        first = _content_step(book, kept, data, *ids)
        steps.append(first and replace(first, bookkeeping=True))
        # what the last step finds and would take back to
        uid, gid = (
            given if given is not None else now for given, now in zip(ids, (kept.uid, kept.gid))
        )
        kept = replace(kept, kind="file", data=data, mode=0o600, uid=uid, gid=gid)
    if done.text is not None:
        data = done.text.encode("utf-8", "surrogateescape")
        steps.append(_content_step(want, have, data, *ids))
    elif have.kind != "absent":
        steps.append(Step(want.path, "unlink", have, secret=want.secret))
    if done.after:
        last = _content_step(book, kept, record_data(done.after, want.path), *ids)
        steps.append(last and replace(last, bookkeeping=True))
    elif kept.kind != "absent":
        steps.append(Step(book.path, "unlink", kept, bookkeeping=True))
    return [step for step in steps if step]


def _by_hand(path: str, error: Exception, ours: str, secret: bool) -> str:
    """Somebody else's file that cannot be edited safely, and what to put in."""
    words = "(it holds a secret and is not shown here)" if secret else ours.rstrip("\n")
    return (
        f"{path} belongs to somebody else and cannot be edited safely: {error}. Mend it, or put "
        f"this in by hand and no longer ask for it here:\n{words}\n"
    )


def _nothing_left(want: Want, have: Have, data: bytes) -> bool:
    """Where a block has to fit, a file that held nothing else goes: not every program reads an
    empty one. Files of shells may be empty, and stay."""
    picky = any(edit.fits for edit in want.edits)
    return picky and want.state == "absent" and bool(have.data.strip()) and not data.strip()


def _file_mode(want: Want, have: Have) -> int:
    if have.kind == "file" and want.kind in ("edits", "merge"):
        # the mode is its owner's choice, as long as others cannot read a secret of ours in it
        return have.mode & ~0o077 if want.secret and want.state == "present" else have.mode
    if want.mode is not None:
        return want.mode
    if want.secret:
        return SECRET_MODE
    return have.mode if have.kind == "file" else DEFAULT_MODE[want.kind]


def _attributes_differ(step: Step, have: Have) -> bool:
    return (
        (step.mode is not None and step.mode != have.mode)
        or (step.uid is not None and step.uid != have.uid)
        or (step.gid is not None and step.gid != have.gid)
    )

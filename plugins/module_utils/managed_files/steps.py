# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step from the present to the wanted state of one file or folder. Pure."""

from __future__ import annotations

from ansible_collections.closet.inference.plugins.module_utils.managed_files.edits import (
    DamagedBlockError,
    MisfitError,
    edited,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    Have,
    Plan,
    Step,
    Want,
)

DEFAULT_MODE = {"file": 0o644, "edits": 0o644, "merge": 0o600, "directory": 0o755}


SECRET_MODE = 0o600


def step_for(want: Want, have: Have, uid: int | None, gid: int | None, made: Plan) -> Step | None:
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
    return content_step(want, have, data, uid, gid)


def content_step(
    want: Want, have: Have, data: bytes, uid: int | None, gid: int | None
) -> Step | None:
    mode = _file_mode(want, have)
    kept = have if have.kind == "file" else None  # mode and owner stay by default
    if kept and want.kind in ("edits", "merge"):
        uid, gid = kept.uid, kept.gid  # the file is not ours
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
    """The whole new content; None if the file stays absent or cannot be edited."""
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
            made.problems.append(by_hand(want.path, error, edit.text or "", edit.secret))
            return None
    return text.encode("utf-8", "surrogateescape")


def by_hand(path: str, error: Exception, ours: str, secret: bool) -> str:
    """The message about an unmanaged file that cannot be edited, with the text to insert."""
    words = "(it holds a secret and is not shown here)" if secret else ours.rstrip("\n")
    return (
        f"{path} is not ours and cannot be edited safely: {error}. Repair it, or insert "
        f"this text by hand and no longer request it:\n{words}\n"
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

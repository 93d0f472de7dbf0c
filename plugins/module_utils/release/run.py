# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is installed completely or not at all.

It is unpacked and tested in the folder `<path>.partial`, gets its marks there, and is renamed in
one step. A lock beside it makes a second builder wait, which then finds a complete release. The
next build removes the remains of an interrupted one, under the lock.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import (
    build_lock,
    installed_releases,
)
from ansible_collections.closet.inference.plugins.module_utils.accounts import (
    NoAccountError,
    account_named,
)
from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.files import (
    sync_folder,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.installed_releases import (
    COMPLETE,
    OURS,
)
from ansible_collections.closet.inference.plugins.module_utils.python_environment import (
    Have,
    observe,
)
from ansible_collections.closet.inference.plugins.module_utils.release import fetch, unpack
from ansible_collections.closet.inference.plugins.module_utils.release.request import (
    ReleaseFailedError,
    ReleaseRefusedError,
    Want,
    checked_path,
    parse_want,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import (
    AccountRunner,
    Completed,
    Runner,
)

CHECK_TIMEOUT_S = 120
TAIL_LINES = 20


def execute(params: Mapping[str, Any], runner: Runner, check_mode: bool = False) -> dict[str, Any]:
    """The result; raises ReleaseRefusedError, ReleaseFailedError or LockedError."""
    if params.get("state", "present") != "present":
        return _remove(params, runner, check_mode)
    want = parse_want(params)
    have = observe(want.path)
    steps = plan(want, have)
    warnings: list[str] = []
    if steps and not check_mode:
        steps = _build(want, runner, warnings)
    after = f"{want.mark}\n"
    return {
        **({"warnings": warnings} if warnings else {}),
        "changed": bool(steps),
        "steps": list(steps),
        "path": want.path,
        "diff": text_diff(want.path, f"{have.state}\n" if steps else after, after),
    }


def plan(want: Want, have: Have) -> tuple[str, ...]:
    """The steps to a complete release; none, and no network, when there is one."""
    if have.state == "foreign":
        raise ReleaseRefusedError(
            f"{want.path} holds something that this module did not install; check it "
            f"(`ls -la {shlex.quote(want.path)}`), then move it away. Nothing was changed"
        )
    if have.state == "complete":
        return ()
    first = ("remove",) if have.state == "incomplete" else ()
    return (*first, "fetch", "unpack", *(["check"] if want.check else []), "complete")


def _build(want: Want, runner: Runner, warnings: list[str]) -> tuple[str, ...]:
    """Take the lock, then run and return the remaining steps."""
    before = os.umask(0o022)  # another user than the one who builds will run it
    step = "lock"
    try:
        with build_lock.held(want.path, "install it", runner) as lock:
            warnings += lock.warnings
            steps = plan(want, observe(want.path))
            do = _steps(want, runner)
            try:
                _clear(want)
                for step in steps:
                    do[step]()
            finally:
                _clear(want)
            return steps
    except OSError as error:
        raise ReleaseFailedError(
            f"{want.path} could not be installed: step '{step}', {error.filename or want.path}: "
            f"{error.strerror}. Next: "
            f"`df -h {shlex.quote(str(Path(want.path).parent))}` on this host shows its space"
        ) from error
    finally:
        os.umask(before)


def _steps(want: Want, runner: Runner) -> dict[str, Callable[[], None]]:
    staging = _staging(want)
    archive: list[Any] = []

    def do_fetch() -> None:
        archive.append(fetch.archive(want, str(Path(want.path).parent)))

    def do_unpack() -> None:
        Path(staging).mkdir()
        write_atomic(Path(staging, OURS), b"", lasting=False)
        # npm puts a package's files below its name, and so do those who look for them
        below = Path(staging, "node_modules", want.package) if want.kind == "npm" else Path(staging)
        below.mkdir(parents=True, exist_ok=True)
        try:
            with archive.pop() as file:
                unpack.unpack(file, str(below), 1 if want.kind == "npm" else want.strip)
        except unpack.UnpackError as error:
            raise ReleaseFailedError(
                f"{want.path} could not be installed: the archive was not unpacked, since {error}"
            ) from error

    def do_complete() -> None:
        write_atomic(Path(staging, COMPLETE), f"{want.mark}\n".encode(), lasting=False)
        os.sync()  # a power cut must not leave the name and lose what it stands for
        Path(staging).rename(want.path)
        sync_folder(Path(want.path).parent)

    return {
        "remove": lambda: shutil.rmtree(want.path),
        "fetch": do_fetch,
        "unpack": do_unpack,
        "check": lambda: _check(want, runner),
        "complete": do_complete,
    }


def _check(want: Want, runner: Runner) -> None:
    """Try the program, as the account that will use it when one is given."""
    argv = [f"{_staging(want)}/{want.check[0]}", *want.check[1:]]
    home = Path(f"{want.path}.scratch")
    home.mkdir(mode=0o700)
    if want.check_user:
        try:
            who = account_named(want.check_user)
        except NoAccountError as error:
            raise ReleaseFailedError(f"{want.path} could not be tried: {error}") from error
        if os.geteuid() == 0:
            os.chown(home, who.uid, who.gid)
        # without the lock: that account could keep it for ever
        done = AccountRunner(who, str(home)).run(argv, CHECK_TIMEOUT_S)
    else:
        done = runner.run(argv, CHECK_TIMEOUT_S, env={"HOME": str(home), "TMPDIR": str(home)})
    said = done.stdout.strip()
    if done.rc == 0 and want.check_says in ("", said):
        return
    how = f"ended with {done.rc}"
    if done.timed_out:
        how = f"did not end in {CHECK_TIMEOUT_S} s"
    elif done.rc == 0:
        how = f"did not say '{want.check_says}'"
    raise ReleaseFailedError(
        f"{want.path} could not be installed: '{' '.join(want.check)}' {how}, and it was removed "
        f"again. It said:\n{_tail(done)}"
    )


def _clear(want: Want) -> None:
    """Remove what a build left, ours or one that was cut off; we hold the lock."""
    for left in (_staging(want), f"{want.path}.scratch"):
        if Path(left).is_symlink() or Path(left).is_file():
            Path(left).unlink()
        elif Path(left).exists():
            shutil.rmtree(left)


def _staging(want: Want) -> str:
    return f"{want.path}.partial"


def _tail(done: Completed) -> str:
    lines: Sequence[str] = f"{done.stdout}\n{done.stderr}".strip().splitlines()
    return "\n".join(lines[-TAIL_LINES:]) or "(nothing)"


def _remove(params: Mapping[str, Any], runner: Runner, check_mode: bool) -> dict[str, Any]:
    """Remove the release, or the old ones beside it."""
    path = checked_path(str(params["path"]))
    if params["state"] == "absent" and observe(path).state == "foreign":
        raise ReleaseRefusedError(
            f"{path} holds something that this module did not install, so it is not removed"
        )
    try:
        return installed_releases.remove_releases({**params, "path": path}, runner, check_mode)
    except OSError as error:
        raise ReleaseFailedError(f"{error.filename} stays: {error.strerror}") from error

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment that uv builds completely from a locked list, or not at all.

An environment cannot be built elsewhere and renamed, because its scripts contain its path. So it is
built in place between two marks: `.closet.inference` (this folder is ours) is written first,
`.complete` last. Without `.complete`, the next run builds it again. A lock beside it makes a second
builder wait, which then finds a complete environment.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils import (
    build_lock,
    environment_answer,
    installed_releases,
)
from ansible_collections.closet.inference.plugins.module_utils.environment_build import (
    UV_STEPS,
    BuildFailedError,
    Want,
    apply,
)
from ansible_collections.closet.inference.plugins.module_utils.filediff import text_diff
from ansible_collections.closet.inference.plugins.module_utils.installed_releases import (
    COMPLETE,
    OURS,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner


class EnvironmentRefusedError(ValueError):
    """What is asked for cannot be done without harm; nothing was touched."""


@dataclass(frozen=True)
class Have:
    """A folder as it is; `mark` is what `.complete` says in a complete one."""

    state: str  # absent | incomplete | complete | foreign
    mark: str = ""


def execute(params: Mapping[str, Any], runner: Runner, check_mode: bool = False) -> dict[str, Any]:
    """The result; raises EnvironmentRefusedError, BuildFailedError or LockedError."""
    if params.get("state", "present") != "present":
        return _remove(params, runner, check_mode)
    want = parse_want(params)
    have = observe(want.path)
    steps = plan(want, have, observe(want.uv_path))
    warnings: list[str] = []
    if steps and not check_mode:
        try:
            steps = _build(want, runner, warnings)
        except OSError as error:
            raise BuildFailedError(
                f"{want.path} could not be built: {error.filename or want.path}: {error.strerror}"
            ) from error
    lines = [line for line in want.requirements.splitlines() if _names_a_package(line)]
    after = f"python {want.python}, {len(lines)} requirements, uv {want.uv_version}\n"
    return {
        **({"warnings": warnings} if warnings else {}),
        "changed": bool(steps),
        "steps": list(steps),
        "digest": want.digest(),
        "bin": f"{want.path}/bin",
        "versions": versions(want.path, params.get("report") or ()),
        "answer": environment_answer.read(want.path) if want.ask else {},
        "diff": text_diff(want.path, f"{have.state}\n" if steps else after, after),
    }


def _build(want: Want, runner: Runner, warnings: list[str]) -> tuple[str, ...]:
    """Take the lock, then run and return the remaining steps."""
    with build_lock.held(want.path, "build it", runner) as lock:
        warnings += lock.warnings
        steps = plan(want, observe(want.path), observe(want.uv_path))
        if any(step in UV_STEPS for step in steps):
            # a uv is shared by environments; who needs its lock already holds its own
            with build_lock.held(want.uv_path, "install uv", runner) as shared:
                warnings += shared.warnings
                steps = plan(want, observe(want.path), observe(want.uv_path))
                apply(want, [step for step in steps if step in UV_STEPS], runner)
        rest = [step for step in steps if step not in UV_STEPS]
        if rest:
            warnings += apply(want, rest, runner)
    return steps


def _remove(params: Mapping[str, Any], runner: Runner, check_mode: bool) -> dict[str, Any]:
    """Remove the environment, or the old ones beside it."""
    path = _checked_path("path", params["path"])
    if params["state"] == "absent" and observe(path).state == "foreign":
        raise EnvironmentRefusedError(
            f"{path} holds something that this module did not build, so it is not removed"
        )
    try:
        return installed_releases.remove_releases({**params, "path": path}, runner, check_mode)
    except OSError as error:
        raise BuildFailedError(f"{error.filename} stays: {error.strerror}") from error


def parse_want(params: Mapping[str, Any]) -> Want:
    """Check the task's words."""
    want = Want(
        path=_checked_path("path", params["path"]),
        requirements=params.get("requirements") or "",
        python=str(params["python"]),
        uv_path=_checked_path("uv_path", params["uv_path"] or ""),
        uv_version=str(params["uv_version"]),
        hashes=bool(params.get("hashes")),
        index_url=params.get("index_url"),
        check=tuple(params.get("check") or ()),
        ask=params.get("ask") or "",
        ask_user=params.get("ask_user") or "",
    )
    if not any(_names_a_package(line) for line in want.requirements.splitlines()):
        raise EnvironmentRefusedError("requirements names no package")
    if want.index_url and "@" in want.index_url:
        raise EnvironmentRefusedError(
            "index_url holds a name and a password; keep them in the host's ~/.netrc, which uv and "
            "pip both read"
        )
    if want.check and ("/" in want.check[0] or not want.check[0]):
        raise EnvironmentRefusedError(
            f"check starts with '{want.check[0]}'; it is the name of a program in the "
            "environment's bin folder"
        )
    return want


def observe(path: str) -> Have:
    """The state of the environment in a folder."""
    folder = Path(path)
    if not folder.exists():
        return Have("foreign" if folder.is_symlink() else "absent")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return Have("complete", (folder / COMPLETE).read_text(encoding="utf-8").strip())
    if not folder.is_dir():
        return Have("foreign")
    try:
        # another builder may be about to write the mark
        names = {one.name for one in folder.iterdir() if not one.name.startswith(f".{OURS}.")}
    except FileNotFoundError:
        return Have("absent")
    ours = not names or OURS in names
    return Have("incomplete" if ours else "foreign")


def versions(path: str, names: Sequence[str]) -> dict[str, str]:
    """The versions of packages in an environment, from the names of their folders (PEP 376)."""
    found = {}
    for folder in Path(path).glob("lib/python3*/site-packages/*.dist-info"):
        name, _dash, version = folder.name[: -len(".dist-info")].partition("-")
        found[name] = version
    wanted = {name: name.replace("-", "_") for name in names}
    return {name: found[plain] for name, plain in wanted.items() if plain in found}


def plan(want: Want, have: Have, uv: Have) -> tuple[str, ...]:
    """The steps to a complete environment; none, and no network, when there is one."""
    for path, found in ((want.path, have), (want.uv_path, uv)):
        if found.state == "foreign":
            raise EnvironmentRefusedError(
                f"{path} holds something that this module did not build; check it "
                f"(`ls -la {shlex.quote(path)}`), then move it away or choose another path"
            )
    if have.state == "complete" and have.mark != want.digest():
        raise EnvironmentRefusedError(
            f"{want.path} was built from other requirements, another Python or another uv "
            f"(it is {have.mark[:12]}, wanted is {want.digest()[:12]}). A complete environment is "
            "never changed under a running server: give the new one a path of its own"
        )
    if have.state == "complete":
        return ()
    if uv.state == "complete" and uv.mark != want.uv_version:
        raise EnvironmentRefusedError(
            f"{want.uv_path} holds uv {uv.mark}, wanted is {want.uv_version}; a path is for one "
            "version"
        )
    steps = []
    if uv.state == "incomplete":
        steps.append("remove uv")
    if uv.state != "complete":
        steps.append("install uv")
    if have.state == "incomplete":
        steps.append("remove")
    tries = [name for name, wanted in (("check", want.check), ("ask", want.ask)) if wanted]
    return (*steps, "resolve", "create", "install", *tries, "complete")


def _names_a_package(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith(("#", "--"))


def _checked_path(name: str, path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or "." in parts or ".." in parts or len(Path(path).parts) < 3:
        raise EnvironmentRefusedError(
            f"{name} '{path}' is not an absolute path below a folder such as /opt/closet"
        )
    return path.rstrip("/")

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment that is complete or not there, made by uv from a locked list.

An environment cannot be built elsewhere and renamed (its scripts hold its path), so it is built in
place between two marks: `.closet.inference` (this folder is ours) is written first, `.complete`
last. Taking `.complete` away asks for a new build.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils.files import (
    sync_folder,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner

OURS = ".closet.inference"
COMPLETE = ".complete"
REQUIREMENTS = "requirements.txt"
SYSTEM_PYTHON = "/usr/bin/python3"
# ssh gives a Mac no more than /usr/bin:/bin:/usr/sbin:/sbin, and Homebrew's Python is elsewhere
SEARCHED = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin"
TAIL_LINES = 20
BOOTSTRAP_TIMEOUT_S = 600
VENV_TIMEOUT_S = 600
INSTALL_TIMEOUT_S = 3600
CHECK_TIMEOUT_S = 300


class EnvironmentRefusedError(ValueError):
    """What is asked for cannot be done without harm; nothing was touched."""


class BuildFailedError(RuntimeError):
    """A command of the build failed; the environment stays incomplete and is rebuilt next time."""


@dataclass(frozen=True)
class Want:
    """One environment."""

    path: str
    requirements: str
    python: str
    uv_path: str
    uv_version: str
    hashes: bool = False
    index_url: str | None = None
    check: tuple[str, ...] = ()

    def digest(self) -> str:
        """What the environment is made of; where the parts come from is not in it."""
        parts = [self.requirements, self.hashes, self.python, self.uv_version]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Have:
    """A folder as it is; `mark` is what `.complete` says in a complete one."""

    state: str  # absent | incomplete | complete | foreign
    mark: str = ""


def execute(params: Mapping[str, Any], runner: Runner, check_mode: bool = False) -> dict[str, Any]:
    """The result; raises EnvironmentRefusedError or BuildFailedError."""
    want = parse_want(params)
    have = observe(want.path)
    steps = plan(want, have, observe(want.uv_path))
    if not check_mode:
        apply(want, steps, runner)
    lines = [line for line in want.requirements.splitlines() if _names_a_package(line)]
    after = f"python {want.python}, {len(lines)} requirements, uv {want.uv_version}\n"
    return {
        "changed": bool(steps),
        "steps": list(steps),
        "digest": want.digest(),
        "bin": f"{want.path}/bin",
        "diff": {
            "before": f"{have.state}\n" if steps else after,
            "after": after,
            "before_header": want.path,
            "after_header": want.path,
        },
    }


def parse_want(params: Mapping[str, Any]) -> Want:
    """Check the task's words."""
    want = Want(
        path=_checked_path("path", params["path"]),
        requirements=params["requirements"],
        python=str(params["python"]),
        uv_path=_checked_path("uv_path", params["uv_path"]),
        uv_version=str(params["uv_version"]),
        hashes=bool(params.get("hashes")),
        index_url=params.get("index_url"),
        check=tuple(params.get("check") or ()),
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
    """Look at a folder that should hold an environment of ours."""
    folder = Path(path)
    if not folder.exists():
        return Have("foreign" if folder.is_symlink() else "absent")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return Have("complete", (folder / COMPLETE).read_text(encoding="utf-8").strip())
    if not folder.is_dir():
        return Have("foreign")
    names = {entry.name for entry in folder.iterdir()}
    ours = not names or OURS in names
    return Have("incomplete" if ours else "foreign")


def plan(want: Want, have: Have, uv: Have) -> tuple[str, ...]:
    """The steps to a complete environment; none, and no network, when there is one."""
    for path, found in ((want.path, have), (want.uv_path, uv)):
        if found.state == "foreign":
            raise EnvironmentRefusedError(
                f"{path} holds something that was not built here; look at it (ls -la {path}), move "
                "it away, or choose another path"
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
    return (*steps, "create", "install", *(["check"] if want.check else []), "complete")


def apply(want: Want, steps: Sequence[str], runner: Runner) -> None:
    """Do the steps; a run cut off anywhere leaves an environment that is known to be incomplete."""
    do: dict[str, Callable[[], None]] = {
        "remove uv": lambda: shutil.rmtree(want.uv_path),
        "install uv": lambda: _install_uv(want, runner),
        "remove": lambda: shutil.rmtree(want.path),
        "create": lambda: _create(want, runner),
        "install": lambda: _install(want, runner),
        "check": lambda: _check(want, runner),
        "complete": lambda: _mark_complete(want.path, want.digest()),
    }
    before = os.umask(0o022)  # another user than the one who builds will run it
    try:
        for step in steps:
            _one(step, do[step], want)
    finally:
        os.umask(before)


def _one(step: str, do: Callable[[], None], want: Want) -> None:
    try:
        do()
    except OSError as error:
        where = error.filename or want.path
        raise BuildFailedError(
            f"{want.path} could not be built: step '{step}', {where}: {error.strerror}"
        ) from error


def _install_uv(want: Want, runner: Runner) -> None:
    _begin(want.uv_path)
    venv = [SYSTEM_PYTHON, "-m", "venv", want.uv_path]
    next_step = "xcode-select -p (the Command Line Tools bring this Python)"
    _do("make a place for uv", venv, want, runner, BOOTSTRAP_TIMEOUT_S, next_step)
    pip = [f"{want.uv_path}/bin/python3", "-m", "pip", "install", "--no-input"]
    pip += ["--disable-pip-version-check", f"uv=={want.uv_version}"]
    _do("install uv", pip, want, runner, BOOTSTRAP_TIMEOUT_S, _reach(want))
    _mark_complete(want.uv_path, want.uv_version)


def _create(want: Want, runner: Runner) -> None:
    _begin(want.path)
    argv = [_uv(want), "venv", "--allow-existing", "--python", want.python, want.path]
    next_step = f"{_uv(want)} python list"
    _do(f"find Python {want.python}", argv, want, runner, VENV_TIMEOUT_S, next_step)


def _install(want: Want, runner: Runner) -> None:
    listed = Path(want.path, REQUIREMENTS)
    write_atomic(listed, want.requirements.encode())
    argv = [_uv(want), "pip", "install", "--python", f"{want.path}/bin/python"]
    # without write access the service could not keep bytecode, and would compile at every start
    argv += ["--compile-bytecode", "--requirement", str(listed)]
    if want.hashes:
        argv += ["--require-hashes", "--no-deps"]
    _do("install the requirements", argv, want, runner, INSTALL_TIMEOUT_S, _reach(want))


def _check(want: Want, runner: Runner) -> None:
    argv = [f"{want.path}/bin/{want.check[0]}", *want.check[1:]]
    _do("try it", argv, want, runner, CHECK_TIMEOUT_S, " ".join(argv))


def _begin(path: str) -> None:
    folder = Path(path)
    folder.mkdir(parents=True)
    write_atomic(folder / OURS, b"")
    sync_folder(folder.parent)


def _mark_complete(path: str, mark: str) -> None:
    os.sync()  # a power cut must not leave the mark and lose what it stands for
    write_atomic(Path(path, COMPLETE), f"{mark}\n".encode())


def _uv(want: Want) -> str:
    return f"{want.uv_path}/bin/uv"


def _reach(want: Want) -> str:
    index = want.index_url or "the package index"
    return f"see whether this host reaches {index} and has space left (df -h {want.path})"


def _do(
    what: str, argv: Sequence[str], want: Want, runner: Runner, timeout_s: float, next_step: str
) -> None:
    done = runner.run(argv, timeout_s, env=_environment(want))
    if done.rc == 0:
        return
    ended = f"did not end in {timeout_s} s" if done.timed_out else f"ended with {done.rc}"
    raise BuildFailedError(
        f"{want.path} could not be built: to {what}, '{' '.join(argv)}' {ended}:\n{_tail(done)}\n"
        f"Next: {next_step}"
    )


def _environment(want: Want) -> dict[str, str]:
    """What uv and pip are told; nothing of it lands in somebody's home, root's least of all."""
    shared = Path(want.uv_path).parent
    told = {
        "PATH": SEARCHED,
        "UV_CACHE_DIR": str(shared / "cache"),
        "UV_PYTHON_INSTALL_DIR": str(shared / "python"),
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    if want.index_url:
        told["UV_DEFAULT_INDEX"] = told["PIP_INDEX_URL"] = want.index_url
        mirror = urlsplit(want.index_url)
        if mirror.scheme == "http" and mirror.hostname:
            # who names a plain mirror on the LAN means it; pip alone wants to be told again
            told["PIP_TRUSTED_HOST"] = mirror.hostname
    return told


def _tail(done: Completed) -> str:
    lines = f"{done.stdout}\n{done.stderr}".strip().splitlines()
    return "\n".join(lines[-TAIL_LINES:]) or "(it said nothing)"


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

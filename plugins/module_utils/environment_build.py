# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that build a virtual environment, each a command of uv, pip or the Mac's own Python."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.module_utils import (
    environment_answer as answers,
)
from ansible_collections.closet.inference.plugins.module_utils.files import (
    sync_folder,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.module_utils.installed_releases import (
    COMPLETE,
    OURS,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Completed, Runner
from ansible_collections.closet.inference.plugins.module_utils.trusted import unsafe_for_root

REQUIREMENTS = "requirements.txt"
SYSTEM_PYTHON = "/usr/bin/python3"
# ssh gives a Mac no more than /usr/bin:/bin:/usr/sbin:/sbin, and Homebrew's Python is elsewhere
SEARCHED = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin")
# what uv starts from there, as root
STARTED = ("python", "git")
UV_STEPS = ("remove uv", "install uv")
TAIL_LINES = 20
BOOTSTRAP_TIMEOUT_S = 600
VENV_TIMEOUT_S = 600
RESOLVE_TIMEOUT_S = 900
INSTALL_TIMEOUT_S = 3600
CHECK_TIMEOUT_S = 300


class BuildFailedError(RuntimeError):
    """A command of the build failed; what it had made is removed again."""


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
    ask: str = ""
    ask_user: str = ""

    def digest(self) -> str:
        """What the environment is made of; where the parts come from is not in it."""
        parts = [self.requirements, self.hashes, self.python, self.uv_version]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def apply(want: Want, steps: Sequence[str], runner: Runner) -> list[str]:
    """Do the steps and return warnings.

    A run cut off anywhere leaves an environment that is known to be incomplete.
    """
    warnings: list[str] = []
    do: dict[str, Callable[[], None]] = {
        "remove uv": lambda: shutil.rmtree(want.uv_path),
        "install uv": lambda: _install_uv(want, runner),
        "remove": lambda: shutil.rmtree(want.path),
        "resolve": lambda: _resolve(want, runner),
        "create": lambda: _create(want, runner),
        "install": lambda: _install(want, runner),
        "check": lambda: _check(want, runner),
        "ask": lambda: warnings.extend(_ask(want, runner)),
        "complete": lambda: _mark_complete(want.path, want.digest()),
    }
    before = os.umask(0o022)  # another user than the one who builds will run it
    try:
        _one("begin", lambda: _make_scratch(want), want)
        for step in steps:
            _one(step, do[step], want)
    except BuildFailedError:
        shutil.rmtree(want.path, ignore_errors=True)  # a disk that is full gets its room back
        raise
    finally:
        os.umask(before)
        shutil.rmtree(_scratch(want), ignore_errors=True)
    return warnings


def _scratch(want: Want) -> str:
    """Where commands leave what they forget: ensurepip's pip leaves a cacert.pem at every venv."""
    return f"{want.path}.scratch"


def _make_scratch(want: Want) -> None:
    shutil.rmtree(_scratch(want), ignore_errors=True)  # of a build that was cut off
    Path(_scratch(want)).mkdir(mode=0o700, parents=True)


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
    next_step = "`xcode-select -p` (the Command Line Tools bring this Python)"
    _do("make a place for uv", venv, want, runner, BOOTSTRAP_TIMEOUT_S, next_step)
    pip = [f"{want.uv_path}/bin/python3", "-m", "pip", "install", "--no-input"]
    pip += ["--disable-pip-version-check", f"uv=={want.uv_version}"]
    _do("install uv", pip, want, runner, BOOTSTRAP_TIMEOUT_S, _reach(want))
    _mark_complete(want.uv_path, want.uv_version)


def _resolve(want: Want, runner: Runner) -> None:
    """Find every pin at its source, before there is anything to clean up."""
    _refuse_unsafe_python(want)
    argv = [_uv(want), "pip", "compile", "--quiet", "--python", want.python]
    argv += [*(["--no-deps"] if want.hashes else []), "-"]
    next_step = f"correct the pin that it names; or {_reach(want)}"
    _do("find the pins", argv, want, runner, RESOLVE_TIMEOUT_S, next_step, want.requirements)


def _refuse_unsafe_python(want: Want) -> None:
    """A Python that another account can change would be run by root, now and by the server."""
    if not want.python.startswith("/"):
        return  # uv looks for it in folders that are safe, or fetches one
    reason = unsafe_for_root(want.python)
    if reason:
        raise BuildFailedError(
            f"{want.path} could not be built: its Python is {want.python}, and root does not run "
            f"what another account can change: {reason}.\nNext: give a version, such as 3.11, "
            "instead of the path; uv fetches it when this host has no safe one"
        )


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
    # uv's lock, which every account may write; nothing more is installed here
    Path(want.path, ".lock").unlink(missing_ok=True)


def _check(want: Want, runner: Runner) -> None:
    argv = [f"{want.path}/bin/{want.check[0]}", *want.check[1:]]
    _do("try it", argv, want, runner, CHECK_TIMEOUT_S, " ".join(argv))


def _ask(want: Want, runner: Runner) -> list[str]:
    try:
        return answers.warnings(answers.ask(want.path, want.ask, want.ask_user, runner))
    except answers.NoAnswerError as error:
        return [f"{want.path} was built, and could not be asked what it is: {error}"]


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
    space = f"`df -h {shlex.quote(want.path)}`"
    return f"see whether this host reaches {index} and has space left ({space})"


def _do(
    what: str,
    argv: Sequence[str],
    want: Want,
    runner: Runner,
    timeout_s: float,
    next_step: str,
    input: str | None = None,  # noqa: A002 - the word of Runner
) -> None:
    done = runner.run(argv, timeout_s, input=input, env=_environment(want))
    if done.rc == 0:
        return
    ended = f"did not end in {timeout_s} s" if done.timed_out else f"ended with {done.rc}"
    if "Hash mismatch" in done.stderr:
        next_step = (
            "these are not the bytes that were pinned, and none of them was kept. Find out where "
            "they come from (a mirror, a release that was replaced) before you change the pin"
        )
    raise BuildFailedError(
        f"{want.path} could not be built: to {what}, '{' '.join(argv)}' {ended}:\n{_tail(done)}\n"
        f"Next: {next_step}"
    )


def _environment(want: Want) -> dict[str, str]:
    """The environment of uv and pip, which keeps their files out of all homes, also root's."""
    shared = Path(want.uv_path).parent
    told = {
        "PATH": ":".join(safe_folders(SEARCHED, STARTED)),
        "TMPDIR": _scratch(want),
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


def safe_folders(folders: Sequence[str], programs: Sequence[str]) -> list[str]:
    """Those of a PATH that exist and in which only root decides what `programs` are."""
    return [folder for folder in folders if Path(folder).is_dir() and _is_safe(folder, programs)]


def _is_safe(folder: str, programs: Sequence[str]) -> bool:
    found = [path for path in Path(folder).iterdir() if path.name.startswith(tuple(programs))]
    return not any(unsafe_for_root(str(path)) for path in (Path(folder), *found))

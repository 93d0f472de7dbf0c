# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of ansible-playbook for tests, without the second that each takes to begin."""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).parent / "ansible-playbook"
SERVER = Path(__file__).with_name("ansible_server.py")
LIMIT_S = 120

Server = subprocess.Popen[str]


def ansible_playbook(cwd: Path, *words: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code and the output of a run, with the ansible.cfg and collection of the checkout.

    What a person has in their environment and home is not seen; `environment` is added.
    """
    return _run(_apart(**environment), cwd, words, LIMIT_S)


def owners_run(
    words: tuple[str, ...], environment: Mapping[str, str], limit_s: float
) -> tuple[int, str]:
    """The same as an owner runs it in the checkout, with this whole environment.

    Templates are compiled once for all runs. Raises TimeoutExpired, and then the run has ended.
    """
    return _run(_owners(frozenset(environment.items())), ROOT, words, limit_s)


def _run(
    server: Server, cwd: Path, words: tuple[str | Path, ...], limit_s: float
) -> tuple[int, str]:
    assert server.stdin is not None
    assert server.stdout is not None
    argv = [str(PROGRAM), *map(str, words)]
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as output:
        order = {"cwd": str(cwd), "argv": argv, "output": output.name}
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], limit_s)[0]:
            for servers in (_apart, _owners):
                servers.cache_clear()
            os.killpg(server.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(argv, limit_s, output.read())
        answer = server.stdout.readline()
        assert answer, f"{SERVER} has ended: {output.read()}"
        return int(answer), output.read()


@functools.cache
def _apart(**environment: str) -> Server:
    """The process that all runs with this environment are forks of; it ends with the tests."""
    home = _folder()
    given = {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        **environment,
    }
    return _started([], given)


@functools.cache
def _owners(environment: frozenset[tuple[str, str]]) -> Server:
    return _started([f"{_folder()}/templates"], dict(environment))


def _folder() -> str:
    made = tempfile.mkdtemp(prefix="ansible-runs-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _started(words: list[str], environment: Mapping[str, str]) -> Server:
    said = Path(_folder()) / "stderr"
    with said.open("w", encoding="utf-8") as errors:
        server = subprocess.Popen(
            [sys.executable, "-P", SERVER, *words],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # not ours: an ssh of a test makes it non-blocking, which Ansible refuses
            stderr=errors,
            text=True,
            start_new_session=True,
        )

    def end() -> None:
        sys.stderr.write(said.read_text(encoding="utf-8"))
        try:
            server.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()

    atexit.register(end)
    return server

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
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).parent / "ansible-playbook"
SERVER = Path(__file__).with_name("ansible_server.py")
LIMIT_S = 120


def ansible_playbook(cwd: Path, *words: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code and the output of a run, with the ansible.cfg and collection of the checkout.

    What a person has in their environment and home is not seen; `environment` is added.
    """
    server = _server(**environment)
    assert server.stdin is not None
    assert server.stdout is not None
    argv = [str(PROGRAM), *map(str, words)]
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as output:
        order = {"cwd": str(cwd), "argv": argv, "output": output.name}
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], LIMIT_S)[0]:
            _server.cache_clear()
            raise subprocess.TimeoutExpired(argv, LIMIT_S, output.read())
        answer = server.stdout.readline()
        assert answer, f"{SERVER} has ended: {output.read()}"
        return int(answer), output.read()


@functools.cache
def _server(**environment: str) -> subprocess.Popen[str]:
    """The process that all runs with this environment are forks of; it ends with the tests."""
    home = tempfile.mkdtemp(prefix="ansible-runs-")
    server = subprocess.Popen(
        [sys.executable, "-P", SERVER],
        env={
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        try:
            server.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(end)
    return server

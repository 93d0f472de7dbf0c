"""The controller of a benchmark: Ansible as an owner runs it, counted by a Meter."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cpu import Meter, Sample
from benchmarks.lan import BenchmarkError
from lab.paths import CHECKOUT

PROGRAMS = Path(sys.executable).parent


class Controller:
    """Runs Ansible the way an owner does, each time with connections of its own."""

    def __init__(self, meter: Meter, scratch: Path) -> None:
        self._meter = meter
        self._scratch = scratch
        self.log = scratch / "output"

    def site(self, inventory: Path, *words: str, **environment: str) -> Sample:
        """Run site.yml."""
        book = ["ansible-playbook", "-i", str(inventory), "site.yml"]
        return self._run([*book, *words], environment)

    def confirm(self, inventory: Path) -> Sample:
        """Let the LAN reach the closet, as an owner does once, before the first run."""
        playbook = ["ansible-playbook", "-i", str(inventory), "playbooks/expose.yml"]
        return self._run([*playbook, "-e", "scope=lan", "-e", "confirm=attic"])

    def ping(self, inventory: Path) -> Sample:
        """Run the module that does nothing, on every host."""
        return self._run(["ansible", "-i", str(inventory), "all", "-m", "ansible.builtin.ping"])

    def play(self, inventory: Path, book: Path, **environment: str) -> Sample:
        """Run a playbook of the benchmark's own."""
        return self._run(["ansible-playbook", "-i", str(inventory), str(book)], environment)

    def start(self) -> Sample:
        """Run what only starts: the floor under every playbook."""
        return self._run(["ansible-playbook", "--version"])

    def _run(self, argv: Sequence[str], more: Mapping[str, str] | None = None) -> Sample:
        own = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        with tempfile.TemporaryDirectory(prefix="closet-ssh-") as sockets:
            environment = {
                **own,
                "PATH": f"{PROGRAMS}:{own.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin",
                "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                # no connection of an earlier run: an owner's run meets none either
                "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
                **(more or {}),
            }
            sample, code = self._meter.run(
                argv, group="controller", env=environment, cwd=CHECKOUT, log=self.log
            )
            for socket in Path(sockets).iterdir():
                hang_up = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"]
                subprocess.run(hang_up, check=False, capture_output=True)
        if code != 0:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
            raise BenchmarkError(f"`{' '.join(argv)}` ended with {code}:\n{tail}")
        return sample

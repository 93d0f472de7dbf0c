"""A Mac in a temporary folder: the lab's tree, described by lab.hardware, its doubles run there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.hardware import describe, mac_env

TREE = Path(__file__).resolve().parents[3] / "lab" / "macos"
LIBRARY = TREE / "usr" / "libexec" / "closet-lab"
STUDIO = {"model": "Mac16,9", "macos": "26.5.1", "memory_gb": 128}
AIR = {"model": "Mac16,12", "macos": "26.5.1", "memory_gb": 16}
NOBODY = 65534
# The simulated Macs' own; any user may execute it, which is not so of a virtual environment.
PYTHON = "/usr/bin/python3.11" if Path("/usr/bin/python3.11").exists() else sys.executable


class SimulatedMac:
    """The folder, and a way to run what is in it as root or as nobody."""

    def __init__(self, root: Path, lab_mac: dict[str, Any]) -> None:
        self.root = root
        self.facts = describe("attic", "10.77.31.10", 24, "10.77.31.1", "admin", lab_mac)
        shutil.copytree(TREE, root, symlinks=True, dirs_exist_ok=True)
        library = root / "usr/libexec/closet-lab"
        (library / "mac.json").write_text(json.dumps(self.facts))
        (library / "mac.env").write_text(mac_env(self.facts))
        for folder in ("run/closet-lab", "var/db/closet-lab", "var/run", "var/log"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def run(
        self, program: str, *arguments: str, user: int = 0, text: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one double; `user` other than 0 needs the tests to be root."""
        script = self.root / program
        first = script.read_text(encoding="utf-8").partition("\n")[0]
        shell = first == "#!/bin/sh"
        start: Sequence[str] = ["/bin/sh"] if shell else [PYTHON, "-IS"]
        return subprocess.run(
            [*start, str(script), *arguments],
            env={"PATH": "/usr/bin:/bin", "CLOSET_LAB_ROOT": str(self.root), "TZ": "UTC"},
            input=None if text is None else text.encode(),
            capture_output=True,
            timeout=20,
            user=user if os.geteuid() == 0 and user else None,
            check=False,
        )

    def said(self, program: str, *arguments: str, user: int = 0, text: str | None = None) -> Said:
        """Run one double and return what it said."""
        done = self.run(program, *arguments, user=user, text=text)
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


class Said(tuple[int, str, str]):
    """Exit code, stdout and stderr, comparable with a plain tuple."""

    def __new__(cls, code: int, out: str, err: str) -> Said:
        return super().__new__(cls, (code, out, err))

    @property
    def code(self) -> int:
        """The exit code."""
        return self[0]

    @property
    def out(self) -> str:
        """All of stdout."""
        return self[1]

    @property
    def err(self) -> str:
        """All of stderr."""
        return self[2]

"""Talking to a launchctl, and starting a launchd double to talk to."""

from __future__ import annotations

import os
import plistlib
import pwd
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = pwd.getpwnam("nobody").pw_uid
"""An account that every system has; -2 as an unsigned number on macOS."""

PREFIX = f"inference.closet.contract.{os.getpid()}"


@dataclass
class Double:
    """A launchd double below a folder of its own."""

    root: Path
    macos: str = "26.5.1"
    process: subprocess.Popen[bytes] | None = None

    def program(self, module: str) -> list[str]:
        """Call a module of the double as its entry script on a Mac of the lab does."""
        code = f"import sys; sys.path.insert(0, {str(self.support)!r})\n"
        code += f"from launchd.{module} import main; sys.exit(main(sys.argv[1:]))"
        return [os.path.realpath(sys.executable), "-IS", "-c", code]

    @property
    def support(self) -> Path:
        return self.root / "usr/libexec/closet-lab"

    @property
    def socket(self) -> Path:
        return self.root / "var/run/launchd.sock"

    @property
    def log(self) -> str:
        path = self.root / "var/log/com.apple.xpc.launchd/launchd.log"
        return path.read_text(encoding="utf-8")

    def install(self) -> None:
        """Lay out what the double needs: its own code, and which Mac it is."""
        self.root.chmod(0o755)
        package = self.support / "launchd"
        if not package.exists():
            shutil.copytree(
                REPOSITORY / "lab/launchd", package, ignore=shutil.ignore_patterns("__pycache__")
            )
        (self.support / "mac.json").write_text(f'{{"macos": "{self.macos}"}}', encoding="utf-8")

    def boot(self) -> None:
        self.install()
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen([*self.program("daemon"), "--root", str(self.root)])
        deadline = time.monotonic() + 10
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, "no launchd"
            time.sleep(0.005)

    def end(self, signal_number: int = 2) -> int:
        """Ask for an orderly reboot (2) or halt (15) and return the exit status."""
        assert self.process is not None
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=30)

    def faults(self, text: str) -> None:
        path = self.root / "var/db/closet-lab/launchd.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@dataclass
class Launchctl:
    """launchctl and the jobs that one test made."""

    command: list[str]
    folder: Path
    environment: dict[str, str]
    double: Double | None = None
    labels: list[str] = field(default_factory=list)
    domain: str = "system"
    uid: int | None = None  # who asks, where that is not whoever runs the tests

    def target(self, name: str) -> str:
        """The service target of a job of this test."""
        return f"{self.domain}/{self.label(name)}"

    def __call__(self, *words: str, uid: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            capture_output=True,
            text=True,
            timeout=60,
            user=self.uid if uid is None else uid,
            env=self.environment,
            cwd="/",
            check=False,
        )

    def label(self, name: str) -> str:
        label = f"{PREFIX}.{name}"
        if label not in self.labels:
            self.labels.append(label)
        return label

    def plist(self, name: str, *arguments: str, **keys: Any) -> Path:
        """Write a plist that launchd accepts; arguments are the program's."""
        label = self.label(name)
        path = self.folder / f"{label}.plist"
        content: dict[str, Any] = {"Label": label, "ProgramArguments": list(arguments)}
        defaults: dict[str, Any] = {"ExitTimeOut": 2, "ThrottleInterval": 1}
        path.write_bytes(plistlib.dumps({**content, **defaults, **keys}))
        path.chmod(0o644)
        if self.uid is not None:
            os.chown(path, self.uid, -1)
        return path

    def load(self, name: str, *arguments: str, **keys: Any) -> str:
        """Bootstrap a job and return its service target."""
        path = self.plist(name, *arguments, **keys)
        done = self("bootstrap", self.domain, str(path))
        assert (done.returncode, done.stderr) == (0, "")
        return self.target(name)

    def text(self, target: str) -> str:
        done = self("print", target)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def value(self, target: str, key: str) -> str | None:
        """Read a top-level key of `print`; a test's own small reader, shared with nobody."""
        found = re.search(rf"^\t{re.escape(key)} = (.*)$", self.text(target), re.MULTILINE)
        return found.group(1) if found else None

    def wait(self, target: str, key: str, value: str, seconds: float = 10) -> None:
        """Wait until a key of `print` has a value."""
        deadline = time.monotonic() + seconds
        while (seen := self.value(target, key)) != value:
            assert time.monotonic() < deadline, f"{key} is {seen!r}, not {value!r}"
            time.sleep(0.02)

    def wait_gone(self, target: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while self("print", target).returncode != 113:
            assert time.monotonic() < deadline, f"{target} is still there"
            time.sleep(0.02)

    def clean(self) -> None:
        for label in self.labels:
            self("bootout", f"{self.domain}/{label}")
        for label in self.labels:
            self.wait_gone(f"{self.domain}/{label}")
            (self.folder / f"{label}.plist").unlink(missing_ok=True)

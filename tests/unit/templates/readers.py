# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that read our files, asked what they read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SHELLS = [shell for shell in ("dash", "bash", "zsh") if shutil.which(shell)]
# Those that read the files below a person's home.
LOGIN_SHELLS = [shell for shell in SHELLS if shell != "dash"]
# Prints its words, each with a NUL behind it; a file name cannot be one.
TELLS = "#!/bin/sh\nprintf '%s\\0' \"$@\"\n"


def program(name: str) -> str:
    """A program of the development environment or of the system."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.defpath}:/usr/sbin")
    assert found, f"{name} is not here: make environment installs it"
    return found


def sudo_rules(text: str) -> Any:
    """What sudo's own parsers make of a file: visudo takes it, cvtsudoers says what it holds."""
    checked = subprocess.run(
        [program("visudo"), "-cf", "-"], input=text, text=True, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr + text
    done = subprocess.run(
        [program("cvtsudoers"), "-f", "json"],
        input=text,
        text=True,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def caddy(text: str, folder: Path, environment: Mapping[str, str] | None = None) -> Any:
    """The configuration that Caddy makes of a Caddyfile."""
    file = folder / "Caddyfile"
    file.write_text(text)
    done = subprocess.run(
        [program("caddy"), "adapt", "--adapter", "caddyfile", "--config", str(file)],
        env={"HOME": "/root", "SECRET": "leaked", **(environment or {})},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + text
    return json.loads(done.stdout)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def ran(words: Sequence[str], folder: Path, **environment: str) -> list[str]:
    """The words that a script has told, run in an empty folder in which nothing may appear."""
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    done = subprocess.run(
        words,
        cwd=bare,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    assert list(bare.iterdir()) == [], "a value was run as a command"
    told = done.stdout.decode().split("\0")
    assert told.pop() == ""
    return told


def sourced(
    shell: str, text: str, folder: Path, names: Sequence[str], **environment: str
) -> list[str]:
    """The values of variables after a shell has read a file."""
    file = written(folder, "sourced.sh", text)
    values = " ".join(f'"${name}"' for name in names)
    script = f'. "$1" && printf "%s\\0" {values}'
    return ran([shell, "-c", script, "sh", str(file)], folder, **environment)


def parses(text: str, folder: Path) -> None:
    """Every shell that may read it takes it."""
    file = written(folder, "parsed.sh", text)
    for shell in SHELLS:
        done = subprocess.run([shell, "-n", str(file)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), shell + text

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for plists, a fake launchd, and one word to run the module's logic on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd import job as job_module
from ansible_collections.closet.inference.plugins.module_utils.launchd.manage import Manager
from ansible_collections.closet.inference.plugins.module_utils.launchd.stamp import stamped
from tests.unit.plugins.launchd.fake_launchd import FakeLaunchd

FIXTURES = Path(__file__).parent / "fixtures"
LABEL = "inference.closet.test"


@dataclass
class Mac:
    """One machine: `launchd`, and a folder where its plists lie."""

    folder: Path
    launchd: FakeLaunchd

    @property
    def path(self) -> Path:
        return self.folder / f"{LABEL}.plist"

    def server(self, **changes: Any) -> dict[str, Any]:
        """A definition like the one of omlx."""
        program = self.folder / "server"
        if not program.exists():
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        return {
            "ProgramArguments": [str(program), "serve"],
            "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
            "ThrottleInterval": 30,
            "ExitTimeOut": 60,
            **changes,
        }

    def written(self, **changes: Any) -> dict[str, Any]:
        """The definition as the module writes it."""
        return stamped({"Label": LABEL, **self.server(**changes)}, None)

    def job(self, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """What the module answers for one job."""
        wanted = {"label": LABEL, "path": str(self.path), **arguments}
        return self.jobs([wanted], check)[0]

    def jobs(self, wanted: list[dict[str, Any]], check: bool = False) -> list[dict[str, Any]]:
        self.launchd.calls.clear()
        self.launchd.slept = 0.0
        return Manager(self.launchd, check).manage(wanted)


def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests also run for people who are not root: files are ours instead of root's."""
    own = (os.getuid(), os.getgid())
    monkeypatch.setattr(job_module, "_owner", lambda domain, path: own)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def fixture(name: str) -> str:
    return (FIXTURES / name).read_text()

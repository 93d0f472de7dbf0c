# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that every account may enter, and an account without any rights."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils.accounts import account_of
from ansible_collections.closet.inference.plugins.module_utils.acting import Rights


@pytest.fixture(autouse=True)
def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as other accounts")


@pytest.fixture
def place() -> Iterator[Path]:
    """Root's folder; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def attacker(nobody: int) -> Iterator[Rights]:
    rights = Rights(account_of(nobody))
    yield rights
    rights.close()


@pytest.fixture
def home(place: Path, nobody: int) -> Path:
    """The attacker's home."""
    folder = place / "home"
    folder.mkdir(mode=0o755)
    os.chown(folder, nobody, -1)
    return folder

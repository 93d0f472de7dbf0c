# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.plugins.models.bench import Bench
from tests.unit.plugins.models.hub_double import HubDouble, running_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_hub() as double:
        yield double


@pytest.fixture
def bench(hub: HubDouble, tmp_path: Path) -> Bench:
    return Bench(hub, tmp_path)

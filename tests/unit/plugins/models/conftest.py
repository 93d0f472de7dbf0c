# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests.unit.plugins.models.bench import Bench
from tests.unit.plugins.models.hub_double import HubDouble, running_hub


@pytest.fixture(scope="session")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first of certifi's authorities: to read all of them takes longer than most tests."""
    end = "-----END CERTIFICATE-----\n"
    file = tmp_path_factory.mktemp("authority") / "one.pem"
    file.write_text(certifi.contents().partition(end)[0] + end)
    return str(file)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, one_authority: str) -> Iterator[HubDouble]:
    """A hub over plain HTTP."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(certifi, "where", lambda: one_authority)
    with running_hub() as double:
        yield double


@pytest.fixture
def bench(hub: HubDouble, tmp_path: Path) -> Bench:
    return Bench(hub, tmp_path)

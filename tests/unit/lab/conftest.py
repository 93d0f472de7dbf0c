"""The simulated Macs that the tests of the Mac commands run on, and the lab's hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.lab.hub_bench import Lab, running_hub
from tests.unit.lab.simulated_mac import AIR, STUDIO, SimulatedMac


def _temporary() -> Path:
    """A folder that every user may enter; pytest's own are closed to others than their owner."""
    folder = Path(tempfile.mkdtemp(prefix="simulated-mac-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def studio() -> Iterator[SimulatedMac]:
    """A Mac Studio with 128 GB, as nobody has touched it yet."""
    folder = _temporary()
    yield SimulatedMac(folder, STUDIO)
    shutil.rmtree(folder)


@pytest.fixture
def air() -> Iterator[SimulatedMac]:
    """A MacBook Air with a battery."""
    folder = _temporary()
    yield SimulatedMac(folder, AIR)
    shutil.rmtree(folder)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """The lab's hub and its package index, over one small repository."""
    with running_hub(tmp_path) as running:
        yield running

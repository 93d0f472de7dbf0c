"""benchmarks/floors.py: each floor does the work that it is named after."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import clients, floors, pull
from benchmarks.clients import PullError


def test_httpx_takes_every_byte_and_writes_none(tmp_path: Path) -> None:
    plan = pull.Plan((1, 2), 1)
    with pull.running_hub(tmp_path) as hub:
        pull.publish(hub, plan)
        floor = floors.httpx_alone(hub.endpoint, pull.REPO, plan.sizes)
        clients.pull(floor, hub.endpoint, plan.names, tmp_path / "target")
        assert hub.sent() == plan.total
        assert not list((tmp_path / "target").iterdir())
        short = floors.httpx_alone(hub.endpoint, pull.REPO, (1, 1))
        with pytest.raises(PullError, match="AssertionError"):
            clients.pull(short, hub.endpoint, plan.names, tmp_path / "target")


def test_sha256_costs_time_in_proportion_to_the_bytes(tmp_path: Path) -> None:
    few = clients.pull(floors.sha256_alone((1,)), "", [], tmp_path / "few")
    many = clients.pull(floors.sha256_alone((256, 256)), "", [], tmp_path / "many")
    assert many.cpu_s > 2 * few.cpu_s

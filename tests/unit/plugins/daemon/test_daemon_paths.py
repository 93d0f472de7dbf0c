"""Which release a server runs from, and which one it goes back to."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.daemon import paths

WANTED = "/opt/closet/omlx/new"


def found(
    installed: list[str], runs: str = "", *, companion: bool = False, previous: bool = False
) -> dict[str, Any]:
    facts = {"installed": installed, "served_from": {"omlx": runs}, "user": "admin"}
    return paths.paths("omlx", "new", "admin", facts, companion=companion, previous=previous)


@pytest.mark.parametrize(
    ("installed", "runs", "before"),
    [
        ([], "", ""),
        (["omlx/new"], WANTED, ""),
        (["omlx/old"], "/opt/closet/omlx/old", "/opt/closet/omlx/old"),
        # an upgrade that was cut off: the new one runs, and the newest other one is the way back
        (["omlx/old", "omlx/older", "omlx/new"], WANTED, "/opt/closet/omlx/old"),
        # one that runs and is not complete is no way back
        (["omlx/older"], "/opt/closet/omlx/old", "/opt/closet/omlx/older"),
        # of another server
        (["gateway/old", "omlx_more/old"], "", ""),
    ],
)
def test_the_way_back(installed: list[str], runs: str, before: str) -> None:
    assert found(installed, runs)["previous"] == before
    assert found(installed, runs, previous=True)["path"] == before
    assert found(installed, runs)["path"] == WANTED


def test_a_companion_that_did_not_change_goes_back_to_itself() -> None:
    assert found(["omlx/new", "omlx/old"], WANTED, companion=True)["previous"] == WANTED
    assert found(["omlx/old"], "/opt/closet/omlx/old", companion=True)["previous"].endswith("/old")
    assert found(["omlx/old"], "", companion=True)["previous"] == WANTED


def test_what_is_there_and_how_many() -> None:
    assert found(["omlx/old", "omlx/new"])["there"]
    assert not found(["omlx/old"])["there"]
    assert found(["omlx/old"])["releases"] == 2
    assert found(["omlx/old", "omlx/new"])["releases"] == 2


def test_without_facts_of_the_host_nothing_is_there() -> None:
    alone = paths.paths("mlx_lm", "1", "svc", {}, companion=False, previous=False)
    assert alone == {
        "label": "inference.closet.mlx-lm",
        "path": "/opt/closet/mlx_lm/1",
        "wanted": "/opt/closet/mlx_lm/1",
        "previous": "",
        "there": False,
        "releases": 1,
        "log": "/var/log/closet/mlx_lm/mlx_lm.log",
        "launchd_log": "/var/log/closet/mlx_lm.launchd.log",
    }

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""before_stop: run once, only for a process that runs, and never in the way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.runner import Completed
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac

DRAIN = ["/opt/drain", "--idle=5"]


@pytest.fixture
def ran(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What launchd was asked and when the program ran between, with an exit code of 1."""
    seen: list[tuple[str, ...]] = []
    answer = mac.launchd.run

    def run(argv: Any, timeout_s: float = 30, **words: Any) -> Completed:
        seen.append(tuple(argv)[:2] if argv[0] == DRAIN[0] else (argv[1],))
        if argv[0] == DRAIN[0]:
            return Completed(tuple(argv), 1, "", "still busy")
        return answer(argv, timeout_s, **words)

    monkeypatch.setattr(mac.launchd, "run", run)
    return seen


@pytest.mark.parametrize(
    ("wanted", "ended_by"),
    [
        ({"state": "stopped"}, "bootout"),
        ({"state": "absent"}, "bootout"),
        ({"state": "restarted"}, "kill"),
        ({"state": "started", "restart_on": "new"}, "bootout"),
    ],
    ids=str,
)
def test_it_runs_once_before_the_process_is_told_to_end(
    mac: Mac, ran: list[tuple[str, ...]], wanted: dict[str, Any], ended_by: str
) -> None:
    mac.job(plist=mac.server(), restart_on="old")
    ran.clear()
    done = mac.job(plist=mac.server(), before_stop=DRAIN, **{"restart_on": "old", **wanted})
    assert not done.get("failed"), done
    assert ran.count(tuple(DRAIN)) == 1
    assert ran.index(tuple(DRAIN)) < ran.index((ended_by,))
    told = f"before system/{LABEL} was told to end, `/opt/drain` ended with 1: still busy"
    assert told in done["warnings"]


def test_it_does_not_run_when_nothing_is_ended(mac: Mac, ran: list[tuple[str, ...]]) -> None:
    mac.job(plist=mac.server(), before_stop=DRAIN)
    mac.job(plist=mac.server(), before_stop=DRAIN)
    mac.job(plist=mac.server(), before_stop=DRAIN, restart_on="new", check=True)
    mac.job(state="stopped")
    mac.job(state="stopped", before_stop=DRAIN)
    assert tuple(DRAIN) not in ran


def test_it_has_to_be_a_path(mac: Mac) -> None:
    done = mac.job(plist=mac.server(), before_stop=["drain"])
    assert "absolute path of a program" in done["msg"]

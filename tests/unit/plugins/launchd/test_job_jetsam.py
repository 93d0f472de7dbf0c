# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job that macOS ends for want of memory, again and again (jundot/omlx#2184, macOS 26.5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd.explain import exit_hint
from ansible_collections.closet.inference.plugins.module_utils.launchd.info import describe_jobs
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import (
    Printout,
    parse_job,
)
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac, fixture

TARGET = f"system/{LABEL}"
KILLED = "OS_REASON_JETSAM"
IDLE = "JETSAM_REASON_MEMORY_IDLE_EXIT"
LIMIT = "JETSAM_REASON_MEMORY_PERPROCESSLIMIT"


@pytest.mark.parametrize(
    ("reason", "details", "jetsam", "is_bad"),
    [
        (KILLED, KILLED, KILLED, True),
        (KILLED, None, KILLED, True),
        (None, KILLED, KILLED, True),
        (KILLED, LIMIT, LIMIT, True),
        (LIMIT, KILLED, LIMIT, True),
        (IDLE, IDLE, None, False),
        (KILLED, IDLE, None, True),
        (None, IDLE, None, False),
        ("OS_REASON_CODESIGNING", None, None, True),
        (None, None, None, False),
    ],
)
def test_a_reason_of_the_kernel_is_told_from_others(
    reason: str | None, details: str | None, jetsam: str | None, is_bad: bool
) -> None:
    given = {"runs": "13", "last exit reason": reason, "last jetsam exit details": details}
    job = Printout("system/a", {key: text for key, text in given.items() if text is not None})
    assert (job.jetsam, job.ended_badly) == (jetsam, is_bad)
    assert job.was_restarted_after_a_bad_end == is_bad


def test_the_lines_are_read_where_launchd_prints_them() -> None:
    """In place of the last exit code; the coalition of the same name says nothing."""
    text = fixture("f10_daemon_crash_loop.txt")
    lines = f"last exit reason = {KILLED}\n\tlast jetsam exit details = {KILLED}"
    job = parse_job(text.replace("last exit code = 1", lines), "system/org.iron-link.daemon")
    assert job is not None
    assert (job.jetsam, job.last_exit, job.last_exit_text) == (KILLED, None, KILLED)
    quiet = parse_job(text, "system/org.iron-link.daemon")
    assert quiet is not None
    assert quiet.jetsam is None


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        (KILLED, "for want of memory"),
        (LIMIT, "for want of memory"),
        ("JETSAM_REASON_MEMORY_DISK_SPACE_SHORTAGE", "for want of disk space"),
        ("JETSAM_REASON_MEMORY_VNODE", "for want of vnodes"),
        (IDLE, ""),
    ],
)
def test_what_was_short(reason: str, hint: str) -> None:
    found = exit_hint(None, reason)
    assert hint in found
    assert bool(found) == bool(hint)


def loop(mac: Mac, runs: int, age_s: int, last: str = KILLED) -> None:
    mac.job(plist=mac.server())
    job = mac.launchd.jobs[TARGET]
    job.runs, job.last, job.started_at = runs, last, mac.launchd.clock - age_s


def trouble(mac: Mac) -> Any:
    [job] = describe_jobs(Launchctl(mac.launchd), "system", LABEL, None)
    return job["trouble"]


@pytest.mark.parametrize(("runs", "age_s"), [(2, 600), (13, 600), (233, 23 * 3600), (13, 20)])
def test_memory_pressure_is_named_though_the_job_runs(mac: Mac, runs: int, age_s: int) -> None:
    loop(mac, runs, age_s)
    said = trouble(mac)
    assert f"for want of memory ({KILLED}), and launchd has started it {runs} times" in said
    assert said.endswith(f"Next: `sudo launchctl print {TARGET}`")
    result = mac.job(plist=mac.server())
    assert (result["changed"], result["warnings"]) == (False, [said])
    assert result["steps"] == (["settle"] if age_s < 60 else [])


def test_a_loop_of_young_processes_is_watched(mac: Mac) -> None:
    loop(mac, 87, 19)
    job = mac.launchd.jobs[TARGET]
    job.exits_at, job.exit_with = mac.launchd.clock + 1, -9
    result = mac.job(plist=mac.server())
    assert result["failed"]
    assert "it ended again within" in result["msg"]


@pytest.mark.parametrize(
    ("age_s", "last"),
    [(25 * 3600, KILLED), (600, IDLE), (600, "0"), (600, "(never exited)")],
)
def test_a_job_that_outlived_it_or_was_idle_is_healthy(mac: Mac, age_s: int, last: str) -> None:
    loop(mac, 13, age_s, last)
    assert trouble(mac) is None
    assert mac.job(plist=mac.server())["warnings"] == []


def test_a_job_that_waits_for_its_next_start_is_told_as_well(mac: Mac) -> None:
    loop(mac, 13, 600)
    mac.launchd.jobs[TARGET].pid = None
    assert "for want of memory" in trouble(mac)


def test_a_job_that_is_not_loaded_has_no_trouble(mac: Mac) -> None:
    assert trouble(mac) is None

"""CPU seconds from what the kernel prints."""

from __future__ import annotations

import pytest

from benchmarks.cpu import Sample, parse_busy, parse_usage

# Linux 6.x, cgroup v2, as printed
CPU_STAT = """\
usage_usec 1204033
user_usec 930102
system_usec 273931
nice_usec 0
core_sched.force_idle_usec 0
"""
PROC_STAT = """\
cpu  120 3 40 90000 700 5 2 9 0 0
cpu0 60 1 20 45000 350 2 1 4 0 0
intr 4711 0
"""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("1204033954\n", 1.204033954, id="v1, nanoseconds"),
        pytest.param(CPU_STAT, 1.204033, id="v2, microseconds among others"),
        pytest.param("0\n", 0.0, id="a new group"),
    ],
)
def test_usage(text: str, seconds: float) -> None:
    assert parse_usage(text) == pytest.approx(seconds)


def test_busy_is_neither_idle_nor_waiting_nor_stolen() -> None:
    assert parse_busy(PROC_STAT, 100) == pytest.approx((120 + 3 + 40 + 5 + 2) / 100)


def test_a_sample_adds_its_groups_up() -> None:
    assert Sample(3.0, {"controller": 1.5, "laptops": 0.25}, 0.1).total_s == 1.75

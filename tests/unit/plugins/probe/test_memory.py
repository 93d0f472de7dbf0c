"""The wired limit: always below RAM, never below what macOS was measured to give by itself."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import memory

MEASURED_MB = {16: 12124, 64: 53084, 128: 110100}
"""Defaults of current macOS; sources in docs/memory.md."""


@pytest.mark.parametrize("memory_gb", [8, 16, 18, 24, 32, 36, 48, 64, 96, 128, 192, 256, 512])
def test_macos_keeps_some_memory_and_the_limit_never_falls(memory_gb: int) -> None:
    limit = memory.wired_limit_mb(memory_gb * 1024)
    assert limit >= memory.default_limit_mb(memory_gb * 1024)
    assert limit <= memory_gb * 1024 - 2048


@pytest.mark.parametrize("memory_gb", sorted(MEASURED_MB))
def test_the_limit_is_not_below_a_measured_default(memory_gb: int) -> None:
    assert memory.wired_limit_mb(memory_gb * 1024) >= MEASURED_MB[memory_gb]


def test_the_articles_fixed_value_would_lower_the_limit_of_its_own_machine() -> None:
    assert memory.wired_limit_mb(128 * 1024) > 110100 > 98304


@pytest.mark.parametrize(
    ("memory_gb", "macos", "limit_mb", "reserve_gb", "words"),
    [
        (128, "26.5.1", 98304, 0, ["wired_memory_limit_mb is 98304", "lower the limit", "112721"]),
        (128, "14.7", 98304, 0, None),
        (128, "26.5.1", 117965, 0, None),
        (64, "26.5.1", 98304, 0, ["below the memory of 65536 MiB", "hangs or panics"]),
        (64, "26.5.1", 0, 200, ["wired_memory_reserve_gb is 200", "68.7 GB in all"]),
        (64, "26.5.1", 0, 40, ["wired_memory_reserve_gb is 40", "would lower the limit"]),
        (64, "26.5.1", 0, 8, None),
        (64, "26.5.1", -5, 0, ["is no limit"]),
    ],
)
def test_a_limit_that_takes_memory_away_is_refused_with_the_reason(
    memory_gb: int, macos: str, limit_mb: int, reserve_gb: float, words: list[str] | None
) -> None:
    memory_mb = memory_gb * 1024
    limit = limit_mb or memory.wired_limit_mb(memory_mb, reserve_gb, macos)
    answer = memory.error("attic", memory_mb, limit, False, reserve_gb, macos)
    if words is None:
        assert answer is None
        return
    for word in ["attic", *words]:
        assert word in str(answer)


def test_a_lower_limit_is_for_those_who_say_so_by_name() -> None:
    assert memory.error("attic", 131072, 98304, True, 0, "26.5.1") is None
    # not even they may take all of it
    assert memory.error("attic", 131072, 131072, True) is not None

"""The wired limit: always below RAM, never below what macOS was measured to give by itself."""

from __future__ import annotations

import pytest

from ansible_collections.closet.inference.plugins.module_utils.house import memory

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

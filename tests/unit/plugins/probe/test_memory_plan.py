"""Every shipped profile on every size of Mac, summed with the lineup's sizes and with the hub's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import serving
from ansible_collections.closet.inference.plugins.plugin_utils.probe import memory, memory_plan
from tests.unit import documents

LINEUP = documents.read(Path(__file__).parents[4] / "roles/preflight/vars/main.yml")
MODELS, PROFILES = LINEUP["preflight_models"], LINEUP["preflight_profiles"]
# What each Mac can hold, by its memory in GB.
FITS = {
    16: set(),
    36: {"mlx-knowledge"},
    64: {"mlx-knowledge", "lean", "mlx-coding", "ollama"},
    96: {"mlx-knowledge", "lean", "mlx-coding", "ollama", "default"},
    128: set(PROFILES),
    192: set(PROFILES),
}
LARGEST = {16: None, 36: "mlx-knowledge", 64: "ollama", 96: "default", 128: "max-100gb"}


def offered(profile: str, profiles: dict[str, Any] | None = None) -> dict[str, Any]:
    wanted = {
        "profile": profile,
        "exposure": "lan",
        "port": 8000,
        "url_host": "attic.local",
        "revisions": {},
    }
    return serving.plan("attic", wanted, MODELS, profiles or PROFILES).as_dict()


def needs(profile: str, memory_gb: int, **sizes: float) -> memory_plan.Needs:
    limit = memory.wired_limit_mb(memory_gb * 1024)
    return memory_plan.needs(offered(profile), memory_gb * 1024, limit, sizes)


@pytest.mark.parametrize("memory_gb", FITS)
@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_fits_the_macs_it_was_made_for(profile: str, memory_gb: int) -> None:
    need = needs(profile, memory_gb)
    assert need.fits == (profile in FITS[memory_gb]), memory_plan.table(
        "attic", memory_gb * 1024, need, 0
    )
    terms = need.weights_gb + need.requests_gb + need.hot_cache_gb + need.guard_gb
    assert need.total_gb == pytest.approx(terms)


@pytest.mark.parametrize(("memory_gb", "name"), LARGEST.items())
def test_the_largest_that_fits_is_named(memory_gb: int, name: str | None) -> None:
    best = memory_plan.largest(needs(profile, memory_gb) for profile in PROFILES)
    assert (best.profile if best else None) == name


def test_a_refusal_has_the_sums_and_the_way_out() -> None:
    others = [needs(profile, 64) for profile in PROFILES]
    text = memory_plan.error("attic", 64 * 1024, needs("default", 64), others, 0)
    for words in (
        "attic: profile default needs 84.",
        "of its 64 GB models may take 61.8",
        "42.0     qwen3-coder-next\n",
        "2 at once, each 131072 tokens of qwen3-coder-next",
        "closet_profile: mlx-coding",
        "the hub was not asked or did not answer",
    ):
        assert words in text
    nothing = memory_plan.error("air", 16 * 1024, needs("lean", 16), [], 0)
    assert "No profile fits this Mac" in nothing


def test_the_sizes_of_the_hub_go_before_those_of_the_lineup() -> None:
    repo = "mlx-community/Qwen3-Coder-Next-4bit"
    need = needs("mlx-coding", 64, **{f"{repo}@main": 44.8})
    assert need.weights == {"qwen3-coder-next": 44.8}
    # another revision is another size
    assert needs("mlx-coding", 64, **{f"{repo}@{'a' * 40}": 9}).weights_gb == 42
    lines = memory_plan.table("attic", 64 * 1024, need, 1)
    assert "sizes from the hub" in lines[1]


def test_one_request_is_keys_values_and_the_state_of_a_hybrid() -> None:
    coder = offered("mlx-coding")["models"][0]
    # 262144 tokens x (2 x 12 layers x 2 heads x 256 x 2 bytes), and 80 MB
    assert memory_plan.request_gb(coder) == pytest.approx(262144 * 24576 / 1e9 + 0.08)


@pytest.mark.parametrize(
    ("memory_gb", "backend", "ceiling", "words"),
    [
        (16, "omlx", 12.9, "wired limit"),
        (36, "omlx", 32.2, "omlx's own guard, the memory less 6 GiB"),
        (36, "mlx_lm", 34.4, "wired limit"),
        (128, "omlx", 123.7, "wired limit"),
    ],
)
def test_the_lower_of_limit_and_guard_is_the_ceiling(
    memory_gb: int, backend: str, ceiling: float, words: str
) -> None:
    limit = memory.wired_limit_mb(memory_gb * 1024)
    top, because = memory_plan.ceiling(memory_gb * 1024, limit, backend)
    assert round(top, 1) == ceiling
    assert words in because


def test_pinned_models_alone_must_leave_omlx_at_ease() -> None:
    mine = {**PROFILES["mlx-coding"], "context": {"qwen3-coder-next": 1000}, "requests": 1}
    limit = 46_000  # MiB: 48.2 GB, of which 42 x 1.05 are more than nine tenths
    made = offered("mine", {"mine": mine})
    need = memory_plan.needs(made, 128 * 1024, limit, {})
    assert need.total_gb <= need.ceiling_gb
    assert not need.fits
    text = memory_plan.error("attic", 128 * 1024, need, [], 0)
    assert "pins 42.0 GB, and omlx begins to unload at 43.4 of 48.2 GB" in text

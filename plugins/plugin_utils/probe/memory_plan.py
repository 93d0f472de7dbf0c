# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile needs of a Mac's memory, summed before a byte is downloaded.

Everything is in 10^9 bytes. Pure: values in, a table or a refusal out. The formulas and their
sources are in docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIB = 1024 * 1024 / 1e9
# omlx 0.5, process_memory_enforcer.py, tier balanced: what it leaves of the RAM, in MiB, below and
# from 24 GB on; where it begins to unload; where it refuses; what it adds to a model's weights.
OMLX_RESERVE_SMALL_MB = 4 * 1024
OMLX_RESERVE_MB = 6 * 1024
OMLX_SMALL_BELOW_MB = 24 * 1024
OMLX_SOFT = 0.90
OMLX_HARD = 0.95
OMLX_WEIGHT_FACTOR = 1.05


@dataclass(frozen=True)
class Needs:
    """One profile on one Mac, term by term."""

    profile: str
    backend: str
    weights: Mapping[str, float]
    pinned_gb: float
    requests: int
    request_gb: float
    request_model: str
    request_context: int
    hot_cache_gb: float
    guard_gb: float
    ceiling_gb: float
    ceiling_because: str

    @property
    def weights_gb(self) -> float:
        return sum(self.weights.values())

    @property
    def requests_gb(self) -> float:
        return self.requests * self.request_gb

    @property
    def total_gb(self) -> float:
        return self.weights_gb + self.requests_gb + self.hot_cache_gb + self.guard_gb

    @property
    def pins_fit(self) -> bool:
        """Pinned models are never unloaded, so they alone must stay where omlx is at ease."""
        return (
            self.backend != "omlx"
            or self.pinned_gb * OMLX_WEIGHT_FACTOR <= OMLX_SOFT * self.ceiling_gb
        )

    @property
    def fits(self) -> bool:
        return self.total_gb <= self.ceiling_gb and self.pins_fit


def ceiling(memory_mb: int, limit_mb: int, backend: str) -> tuple[float, str]:
    """The most that models may take, and what sets it."""
    limit = (limit_mb * MIB, f"the wired limit of {limit_mb} MiB")
    if backend != "omlx":
        return limit
    reserve = OMLX_RESERVE_SMALL_MB if memory_mb < OMLX_SMALL_BELOW_MB else OMLX_RESERVE_MB
    guard = (
        (memory_mb - reserve) * MIB,
        f"omlx's own guard, the memory less {reserve // 1024} GiB",
    )
    return min(limit, guard, key=lambda pair: pair[0])


def request_gb(model: Mapping[str, Any]) -> float:
    """Keys and values of one request with a full context, and what a hybrid model keeps besides."""
    tokens = float(model["context"]) * float(model["kv_bytes_per_token"])
    return (tokens + float(model["state_mb"]) * 1e6) / 1e9


def needs(
    serving: Mapping[str, Any], memory_mb: int, limit_mb: int, sizes_gb: Mapping[str, float]
) -> Needs:
    """Sum up a serving configuration. `sizes_gb` are sizes that the hub told, by repo@revision."""
    weights = {model["name"]: weight(model, sizes_gb) for model in serving["models"]}
    dearest = max(serving["models"], key=request_gb)
    top, because = ceiling(memory_mb, limit_mb, serving["backend"])
    return Needs(
        profile=serving["profile"],
        backend=serving["backend"],
        weights=weights,
        pinned_gb=sum(weights[model["name"]] for model in serving["models"] if model["pinned"]),
        requests=serving["requests"],
        request_gb=request_gb(dearest),
        request_model=dearest["name"],
        request_context=dearest["context"],
        hot_cache_gb=serving["hot_cache_gb"],
        guard_gb=(1 - OMLX_HARD) * top if serving["backend"] == "omlx" else 0.0,
        ceiling_gb=top,
        ceiling_because=because,
    )


def source_of(model: Mapping[str, Any]) -> str:
    """The name under which a size is known."""
    return f"{model['repo']}@{model['revision']}" if model["repo"] else str(model["tag"])


def weight(model: Mapping[str, Any], sizes_gb: Mapping[str, float]) -> float:
    """The hub's size of a model's weights, or the catalog's when the hub did not answer."""
    return float(sizes_gb.get(source_of(model), model["size_gb"]))


def largest(candidates: Iterable[Needs]) -> Needs | None:
    """The one that fits with the most weights."""
    fitting = [one for one in candidates if one.fits]
    return max(fitting, key=lambda one: (one.weights_gb, one.profile), default=None)


def table(host: str, memory_mb: int, need: Needs, from_hub: int) -> list[str]:
    """The sums as a few calm lines; `from_hub` is how many weights the hub told."""
    count = len(need.weights)
    origin = (
        "sizes from the hub"
        if from_hub == count
        else (
            "sizes from the catalog, the hub was not asked or did not answer"
            if from_hub == 0
            else f"{from_hub} of {count} sizes from the hub, the others from the catalog"
        )
    )
    spare = need.ceiling_gb - need.total_gb
    verdict = f"fits, {spare:.1f} GB to spare" if need.fits else "does not fit"
    guard = "where omlx refuses to load more" if need.guard_gb else f"{need.backend} has none"
    rows = [
        ("weights", need.weights_gb, origin),
        (
            "requests",
            need.requests_gb,
            f"{need.requests} at once, each {need.request_context} tokens of {need.request_model}",
        ),
        ("hot cache", need.hot_cache_gb, ""),
        ("server's guard", need.guard_gb, guard),
        ("needs", need.total_gb, ""),
        ("ceiling", need.ceiling_gb, need.ceiling_because),
    ]
    head = f"{host}, {memory_mb // 1024} GB, profile {need.profile} ({need.backend}): {verdict}"
    lines = [f"  {name:<15}{value:>7.1f} GB  {note}".rstrip() for name, value, note in rows]
    terms = [f"{size:>24.1f}     {name}" for name, size in need.weights.items()]
    return [head, lines[0], *terms, *lines[1:]]


def error(host: str, memory_mb: int, need: Needs, others: Sequence[Needs], from_hub: int) -> str:
    """Why a profile cannot be served here, with the sums and the largest one that can."""
    if need.total_gb > need.ceiling_gb:
        head = (
            f"{host}: profile {need.profile} needs {need.total_gb:.1f} GB, and of its "
            f"{memory_mb // 1024} GB models may take {need.ceiling_gb:.1f} ({need.ceiling_because})"
        )
    else:
        head = (
            f"{host}: profile {need.profile} pins {need.pinned_gb:.1f} GB, and omlx begins to "
            f"unload at {OMLX_SOFT * need.ceiling_gb:.1f} of {need.ceiling_gb:.1f} GB"
        )
    best = largest([one for one in others if one.backend == need.backend]) or largest(others)
    advice = (
        f"The largest that fits is closet_profile: {best.profile} ({best.total_gb:.1f} GB)"
        if best
        else "No profile fits this Mac: take a larger one, or make a profile of small models"
    )
    return "\n".join([head, *table(host, memory_mb, need, from_hub)[1:], f"  {advice}"])

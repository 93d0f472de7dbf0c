"""What a closet offers: profiles, models and served names, and every way to ask for nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.closet.inference.plugins.module_utils.house import offer

LINEUP = yaml.safe_load((Path(__file__).parents[4] / "roles/preflight/vars/main.yml").read_text())
MODELS, PROFILES = LINEUP["preflight_models"], LINEUP["preflight_profiles"]


def wanted(**changes: Any) -> dict[str, Any]:
    return {
        "profile": "default",
        "exposure": "lan",
        "port": 8000,
        "url_host": "attic.local",
        "revisions": {},
        **changes,
    }


def test_default_profile_is_the_lineup_of_the_article() -> None:
    made = offer.plan("attic", wanted(), MODELS, PROFILES)
    assert made.url == "http://attic.local:8000/v1"
    assert [model.name for model in made.models] == [
        "qwen3-coder-next",
        "qwen3.6-35b",
        "qwen3-embedding",
        "qwen3-reranker",
        "qwen3-vl-8b",
    ]
    assert made.build == "qwen3-coder-next"
    assert made.size_gb == 74.7


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_shipped_profile_can_be_offered(profile: str) -> None:
    made = offer.plan("attic", wanted(profile=profile), MODELS, PROFILES)
    chat = {model.name for model in made.models if model.kind == "chat"}
    assert {made.build, made.chat} <= chat
    assert any(model.pinned for model in made.models)


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "mlx-coding"])
def test_embedder_and_reranker_keep_their_names_in_every_profile(profile: str) -> None:
    made = offer.plan("attic", wanted(profile=profile), MODELS, PROFILES)
    kinds = {model.kind: model.name for model in made.models}
    assert kinds["embedding"] == "qwen3-embedding"
    assert kinds["reranker"] == "qwen3-reranker"


def test_a_pinned_commit_reaches_the_pull() -> None:
    repo = "mlx-community/Qwen3-Coder-Next-4bit"
    made = offer.plan("attic", wanted(revisions={repo: "a" * 40}), MODELS, PROFILES)
    sources = {entry["name"]: entry["source"] for entry in made.as_dict()["models"]}
    assert sources["qwen3-coder-next"]["revision"] == "a" * 40
    assert sources["qwen3.6-35b"]["revision"] == "main"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "defualt"}, ["attic", "'defualt'", "do you mean default?", "closet_profile"]),
        ({"exposure": "wan"}, ["attic", "closet_exposure", "'wan'", "loopback or lan"]),
    ],
)
def test_a_bad_wish_is_refused_in_words(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(offer.OfferError) as caught:
        offer.plan("attic", wanted(**changes), MODELS, PROFILES)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"models": ["qwen3-codr-next"]}, ["qwen3-codr-next", "do you mean qwen3-coder-next?"]),
        (
            {"models": ["qwen3-reranker", "qwen3-reranker-4b"]},
            ["as qwen3-reranker", "0.6B", "4B"],
        ),
        (
            {"models": ["qwen3.6-35b"], "build": "qwen3-coder-next", "chat": "qwen3.6-35b"},
            ["'qwen3-coder-next' to build"],
        ),
    ],
)
def test_a_bad_profile_of_the_owner_is_refused(profile: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(offer.OfferError) as caught:
        offer.plan("attic", wanted(profile="mine"), MODELS, {"mine": profile})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("", None),
        ("qwen3.6-35b", None),
        ("qwen3.6-35B", "do you mean qwen3.6-35b?"),
        ("qwen3-embedding", "serves qwen3-coder-next, qwen3.6-35b"),
    ],
)
def test_the_model_of_a_laptop_is_one_that_can_chat(model: str, words: str | None) -> None:
    made = offer.plan("attic", wanted(), MODELS, PROFILES)
    answer = offer.check_client("air", model, made)
    assert (answer is None) if words is None else (words in str(answer) and "air" in str(answer))

"""What a closet serves: profiles, models and served names, and every way to ask for nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import catalog as catalogue
from ansible_collections.closet.inference.plugins.plugin_utils.inventory import serving
from tests.unit import documents

LINEUP = documents.read(Path(__file__).parents[4] / "roles/preflight/vars/main.yml")
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
    made = serving.plan("attic", wanted(), MODELS, PROFILES)
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
    made = serving.plan("attic", wanted(profile=profile), MODELS, PROFILES)
    chat = {model.name for model in made.models if model.kind == "chat"}
    assert {made.build, made.chat} <= chat
    assert any(model.pinned for model in made.models)


@pytest.mark.parametrize(
    ("role", "name"), [("embed", "qwen3-embedding"), ("rerank", "qwen3-reranker")]
)
def test_embedder_and_reranker_keep_one_served_name_in_every_profile(role: str, name: str) -> None:
    made = [serving.plan("attic", wanted(profile=name), MODELS, PROFILES) for name in PROFILES]
    names = [getattr(one, role) for one in made]
    assert set(names) == {name, ""}
    assert names.count("") == 2, "the two profiles with a coder alone"


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_shipped_profile_says_why_it_is_as_it_is(profile: str) -> None:
    assert len(PROFILES[profile]["because"]) > 120
    assert serving.plan("attic", wanted(profile=profile), MODELS, PROFILES).requests >= 1


def test_the_limits_of_a_profile_go_before_those_of_its_models() -> None:
    made = serving.plan("attic", wanted(profile="lean"), MODELS, PROFILES)
    coder, chat = made.models[:2]
    assert (coder.context, chat.context) == (65536, 131072)
    assert coder.sampling == MODELS["qwen3-coder-30b"]["sampling"]
    mine = {**PROFILES["lean"], "sampling": {"qwen3-coder-30b": {"temperature": 0.2}}}
    made = serving.plan("attic", wanted(profile="mine"), MODELS, {"mine": mine})
    assert made.models[0].sampling["temperature"] == 0.2
    assert made.models[0].sampling["top_p"] == 0.8


def test_a_pinned_commit_reaches_the_pull() -> None:
    repo = "mlx-community/Qwen3-Coder-Next-4bit"
    made = serving.plan("attic", wanted(revisions={repo: "a" * 40}), MODELS, PROFILES)
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
    with pytest.raises(catalogue.OfferError) as caught:
        serving.plan("attic", wanted(**changes), MODELS, PROFILES)
    for word in words:
        assert word in str(caught.value)


ONE = {"models": ["qwen3.6-35b"], "build": "qwen3.6-35b", "chat": "qwen3.6-35b"}


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"models": ["qwen3-codr-next"]}, ["qwen3-codr-next", "do you mean qwen3-coder-next?"]),
        ({"models": ["qwen3.6-35b", "qwen3.6-35b"]}, ["the model qwen3.6-35b twice"]),
        ({"models": []}, ["lists no models"]),
        ({"models": "qwen3.6-35b"}, ["a list of models is needed"]),
        ({"models": ["qwen3-reranker", "qwen3-reranker-4b"]}, ["as qwen3-reranker", "0.6B", "4B"]),
        ({**ONE, "build": "qwen3-coder-next"}, ["'qwen3-coder-next' to build"]),
        ({"models": ["qwen3.6-35b"], "chat": "qwen3.6-35b"}, ["no model to build with"]),
        ({**ONE, "embedd": "x"}, ["'embedd', which is no role", "do you mean embed?", "rerank"]),
        ({**ONE, "embed": "qwen3.6-35b"}, ["to embed", "a model of kind embedding"]),
        ({**ONE, "pinned": ["qwen3-vl-8b"]}, ["pins 'qwen3-vl-8b', but does not list it"]),
        ({**ONE, "backend": "olama"}, ["backend 'olama'", "do you mean ollama?"]),
        ({**ONE, "backend": "ollama"}, ["qwen3.6-35b with ollama", "has no tag"]),
        ({**ONE, "requests": 0}, ["requests of profile mine is 0", "at least 1"]),
        ({**ONE, "hot_cache": 8}, ["hot_cache of profile mine is 8, without a unit", "8GB"]),
        ({**ONE, "hot_cache": "8 pages"}, ["can be MB, GB or TB"]),
        ({**ONE, "context": 4096}, ["needs a value per model"]),
        ({**ONE, "context": {"qwen3.6-35b": "64k"}}, ["'64k'", "a number of tokens"]),
        ({**ONE, "context": {"qwen3.6-35b": 999999}}, ["999999 tokens", "takes 131072"]),
        ({**ONE, "sampling": {"qwen3.6-35b": {"temprature": 1}}}, ["do you mean temperature?"]),
        ({**ONE, "sampling": {"qwen3.6-35b": {"top_p": 7}}}, ["top_p", "is 7, it can be 0 to 1"]),
        (
            {**ONE, "backend": "mlx_lm", "models": ["qwen3.6-35b", "qwen3-coder-next"]},
            ["lists 2 models", "mlx_lm holds one"],
        ),
        (
            {**ONE, "backend": "mlx_lm", "models": ["qwen3.6-35b", "qwen3-embedding"]},
            ["qwen3-embedding, of kind embedding", "mlx_lm serves chat"],
        ),
    ],
)
def test_a_bad_profile_of_the_owner_is_refused(profile: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(catalogue.OfferError) as caught:
        serving.plan("attic", wanted(profile="mine"), MODELS, {"mine": profile})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size_gb": "42 GB"}, ["size_gb of model mine is '42 GB'", "10^9 bytes"]),
        ({"size_gb": None}, ["model mine has no size_gb"]),
        ({"kind": "embedder"}, ["kind 'embedder'", "embedding"]),
        ({"repo": ""}, ["neither a repo", "nor a tag"]),
        *(
            ({"name": name}, ["name of model mine is", "made of letters, digits and . _ -"])
            for name in ("a b", "../x", "a/b", "-a", "a\n", "a'b", "é", "a: {x: 1}", "{{ a }}")
        ),
        ({"title": "A\nB"}, ["title of model mine is", "one line of text"]),
        ({"title": "A\u2028B"}, ["title of model mine is", "one line of text"]),
        *(
            ({"repo": repo}, ["repo of model mine is", "owner/name"])
            for repo in ("m", "o/m/x", "-o/m", "o/m\n", "o/$(id)")
        ),
        ({"tag": "--insecure"}, ["tag of model mine is", "ollama's library"]),
        ({"revision": "main;x"}, ["revision of model mine is", "a commit, a branch or a tag"]),
        ({"kv": {"layer": 3}}, ["do you mean layers?"]),
        ({"kv": {"layers": 3}}, ["kv.heads of model mine is None"]),
        ({"contxt": 3}, ["unknown key 'contxt', do you mean context?"]),
    ],
)
def test_a_bad_model_of_the_owner_is_refused(change: dict[str, Any], words: list[str]) -> None:
    good = {"name": "m", "repo": "o/m", "title": "M", "kind": "chat", "size_gb": 4}
    with pytest.raises(catalogue.OfferError) as caught:
        catalogue.read_model("mine", {**good, **change})
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("revision", ["main;x", "-x", "a b", "", "a\n"])
def test_a_bad_revision_of_a_host_is_refused(revision: str) -> None:
    repo = "mlx-community/Qwen3-Coder-Next-4bit"
    with pytest.raises(catalogue.OfferError, match=f"attic: closet_revisions of {repo} is"):
        serving.plan("attic", wanted(revisions={repo: revision}), MODELS, PROFILES)


def test_keys_and_values_of_a_token_are_counted_from_the_model() -> None:
    made = serving.plan("attic", wanted(), MODELS, PROFILES)
    per_token = {model.name: model.kv_bytes_per_token for model in made.models}
    # 2 x 12 layers x 2 heads x 256 x 2 bytes
    assert per_token["qwen3-coder-next"] == 24576
    assert per_token["qwen3-embedding"] == 0

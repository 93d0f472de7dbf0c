"""Whatever shape a mapping of the inventory has: a sentence for it, and no crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    laptop,
    serving,
    values,
)
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.catalog import (
    MODEL_KEYS,
    PROFILE_KEYS,
    OfferError,
)
from ansible_collections.closet.inference.plugins.plugin_utils.mcp import declarations as mcp
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import nodes as tailnet
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import plan as tailnet_plan
from tests.unit import documents

ROOT = Path(__file__).resolve().parents[4]
LINEUP = documents.read(ROOT / "roles/preflight/vars/main.yml")
SPECS: dict[str, dict[str, Any]] = {}
for _path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
    for _entry in documents.read(_path)["argument_specs"].values():
        SPECS.update(_entry.get("options", {}))
WANTED = {"profile": "mine", "exposure": "lan", "port": 8000, "url_host": "a", "revisions": {}}

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
SHAPES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)


def entries(keys: tuple[str, ...], good: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A good entry of which some keys have any shape, or any shape in its place."""
    known = st.dictionaries(st.sampled_from(keys), SHAPES, max_size=3)
    return known.map(lambda wrong: {**good, **wrong}) | SHAPES


GOOD_MODEL = LINEUP["preflight_models"][LINEUP["preflight_profiles"]["default"]["models"][0]]
GOOD_PROFILE = {"models": ["m"], "build": "m", "chat": "m"}


@settings(max_examples=200)
@given(entries(MODEL_KEYS, GOOD_MODEL), entries(PROFILE_KEYS, GOOD_PROFILE))
def test_models_and_profiles(model: Any, profile: Any) -> None:
    try:
        made = serving.plan("attic", WANTED, {"m": model, 5: {}}, {"mine": profile, 7: None})  # type: ignore[dict-item]
    except OfferError as error:
        assert str(error).startswith("attic: ")
    else:
        assert made.as_dict()["profile"] == "mine"


def good_serving() -> serving.Serving:
    return serving.plan("attic", WANTED, {"m": GOOD_MODEL}, {"mine": GOOD_PROFILE})


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(laptop.WANTS), SHAPES, max_size=4))
def test_laptops(wants: dict[str, Any]) -> None:
    for sentence in laptop.errors("air", wants, good_serving()):
        assert sentence.startswith("air: ")


SERVER_KEYS = ("url", "command", "headers", "env", "for", "on_closet", "args", "timeout_s")


@settings(max_examples=150)
@given(st.dictionaries(st.text(max_size=6), entries(SERVER_KEYS, {"url": "http://a/mcp"})))
def test_mcp_servers(servers: dict[str, Any]) -> None:
    secrets = mcp.Secrets({}, Path("/nonexistent"))
    house = {"air": mcp.Declared(servers, secrets, closet=False)}
    assert all(isinstance(sentence, str) for sentence in mcp.errors(house))


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(tailnet.OPTIONS), SHAPES, max_size=5))
def test_tailnets(given_words: dict[str, Any]) -> None:
    # as the check passes them on: by type, and without those that it has told
    said = {
        name: values.converted(SPECS[name], value)
        for name, value in given_words.items()
        if not list(values.errors(name, SPECS[name], value))
    }
    inventory = tailnet_plan.Inventory(
        said={"attic": {"closet_tailnet": "tail1.ts.net", **said}, "air": said},
        groups={"closet": ["attic"], "clients": ["air"]},
        closet_of={"air": "attic"},
        servings={"attic": ("lan", 8000)},
        secrets=Path("/nonexistent"),
    )
    _plan, sentences = tailnet_plan.plan(inventory)
    assert all(isinstance(sentence, str) for sentence in sentences)


@pytest.mark.parametrize("profile", [None, [], "x", 5])
def test_a_profile_of_another_shape_is_named(profile: Any) -> None:
    with pytest.raises(OfferError, match=r"attic: profile mine is .*, and it has to be a mapping"):
        serving.plan("attic", WANTED, {"m": GOOD_MODEL}, {"mine": profile})

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys there are: those that the installed omlx told, or those of the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.omlx_settings import schema
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.known import (
    KINDS,
    MODEL,
    SETTINGS,
    SUCCESSORS,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    SettingsRefusedError,
    Want,
    plan,
)
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.schema import (
    TABLE,
    Schema,
)

OLD: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures/answer-0.5.0.json").read_text())
OMLX_05 = schema.from_answer(OLD)
#: as 0.7.0 answers by what is known of it: other keys for the depth of MTP, and some more
NEW: dict[str, Any] = {
    "program": "omlx 0.7.0",
    "settings": {**OLD["settings"], "scheduler": {"decode_fairness": "flag", "zoo": "strange"}},
    "model": {
        **{key: kind for key, kind in OLD["model"].items() if key != "mtp_num_draft_tokens"},
        "mtp_fixed_depth": "whole",
        "mtp_adaptive_max_depth": "whole",
        "moe_expert_offload_resident_fraction": "number",
    },
}
OMLX_07 = schema.from_answer(NEW)
DFLASH = {
    "dflash_draft_quant_enabled": True,
    "dflash_draft_quant_weight_bits": 4,
    "dflash_draft_quant_activation_bits": 16,
    "dflash_draft_quant_group_size": 64,
    "dflash_ssd_cache_max_bytes": 20 * 1024**3,
    "dflash_draft_window_size": 1024,
    "dflash_draft_sink_size": 64,
    "dflash_verify_mode": "adaptive",
}


def written(
    which: Schema,
    model: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    have: Mapping[str, Any] | None = None,
    **others: Any,
) -> Any:
    want = Want(settings or {}, {"m": model} if model is not None else {}, schema=which, **others)
    made = plan(want, None, {"models": {"m": dict(have)}} if have else None)
    return made.models["models"]["m"] if made.models else made.settings


@pytest.mark.parametrize("which", [TABLE, OMLX_05, OMLX_07], ids=["table", "0.5.0", "0.7.0"])
def test_what_omlx_itself_writes_about_dflash_is_known(which: Schema) -> None:
    assert written(which, DFLASH) == DFLASH


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dflash_draft_quant_enabled", 1),
        ("dflash_draft_quant_weight_bits", "4"),
        ("dflash_draft_window_size", 0),
        ("dflash_draft_sink_size", -1),
        ("dflash_verify_mode", "fast"),
        ("mtp_fixed_depth", 9),
        ("mtp_adaptive_max_depth", 0),
    ],
)
def test_their_values_are_looked_at(key: str, value: Any) -> None:
    for which in (TABLE, OMLX_07):
        with pytest.raises(SettingsRefusedError, match=f"{key} of model m"):
            written(which, {key: value})


REFUSED: dict[str, tuple[Schema, dict[str, Any], list[str]]] = {
    "a key that it ignores": (
        OMLX_07,
        {"mtp_num_draft_tokens": 2},
        ["omlx 0.7.0 has no key 'mtp_num_draft_tokens' for a model (m) and would ignore it",
         "it has mtp_fixed_depth and mtp_adaptive_max_depth instead"],
    ),
    "the same of the pinned one, not asked": (
        TABLE,
        {"mtp_num_draft_tokens": 2},
        ["omlx 0.7.0 has no key", "mtp_fixed_depth and mtp_adaptive_max_depth instead"],
    ),
    "a key that came later": (
        OMLX_05,
        {"mtp_fixed_depth": 2},
        ["omlx 0.5.0 has no key 'mtp_fixed_depth'", "it has mtp_num_draft_tokens instead"],
    ),
    "another one that came later": (
        OMLX_05, {"moe_expert_offload_resident_fraction": 0.5}, ["omlx 0.5.0 has no key"],
    ),
    "a key of neither": (OMLX_05, {"zzz": 2}, ["omlx 0.5.0 has no key 'zzz'", "unchecked: true"]),
    "a misspelled one": (OMLX_07, {"mtp_fixed_dept": 2}, ["did you mean 'mtp_fixed_depth'"]),
    "a kind that it told": (
        OMLX_07,
        {"moe_expert_offload_resident_fraction": "half"},
        ["moe_expert_offload_resident_fraction of model m must be a number, not the text 'half'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_key_of_a_model_is_refused(case: str) -> None:
    which, model, sentences = REFUSED[case]
    with pytest.raises(SettingsRefusedError) as raised:
        written(which, model)
    for sentence in sentences:
        assert sentence in str(raised.value)


def test_each_version_takes_its_own_keys() -> None:
    assert written(OMLX_05, {"mtp_num_draft_tokens": 2}) == {"mtp_num_draft_tokens": 2}
    later = {"mtp_fixed_depth": 2, "moe_expert_offload_resident_fraction": 0.5}
    assert written(OMLX_07, later) == later
    fair = {"scheduler": {"decode_fairness": False, "zoo": ["anything"]}}
    assert written(OMLX_07, settings=fair)["scheduler"] == fair["scheduler"]


def test_a_section_s_key_that_it_does_not_have_names_the_version() -> None:
    with pytest.raises(SettingsRefusedError, match=r"omlx 0\.5\.0 has no key 'decode_fairness'"):
        written(OMLX_05, settings={"scheduler": {"decode_fairness": False}})
    with pytest.raises(SettingsRefusedError, match=r"omlx 0\.5\.0 has no section 'video'"):
        written(OMLX_05, settings={"video": {"x": 1}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("moe_expert_offload_enabled", "mtp_enabled"),
        ("moe_expert_offload_enabled", "vlm_mtp_enabled"),
        ("moe_expert_offload_enabled", "dflash_enabled"),
        ("qwen35_oq_a8_enabled", "qwen35_ane_prefill_enabled"),
    ],
)
def test_what_a_later_omlx_does_not_take_together(one: str, other: str) -> None:
    later = ("moe_expert_offload_enabled", "qwen35_oq_a8_enabled", "qwen35_ane_prefill_enabled")
    which = schema.from_answer({**NEW, "model": {**NEW["model"], **dict.fromkeys(later, "flag")}})
    assert written(which, {one: True, other: False})
    with pytest.raises(SettingsRefusedError, match=f"both {one} and {other}"):
        written(which, {one: True}, have={other: True})


def test_what_it_ignores_can_be_taken_out_of_its_file() -> None:
    have = {"mtp_num_draft_tokens": 3, "mtp_enabled": True}
    assert written(OMLX_07, {"mtp_num_draft_tokens": None}, have=have) == {"mtp_enabled": True}
    with pytest.raises(SettingsRefusedError, match="no key 'zzz'"):
        written(OMLX_07, {"zzz": None})


def test_unchecked_writes_it_all_the_same() -> None:
    assert written(OMLX_07, {"mtp_num_draft_tokens": 2}, unchecked=True)


def test_what_a_file_holds_for_an_older_one_is_told() -> None:
    file = {"models": {"m": {"mtp_num_draft_tokens": 3, "zzz": 1}, "n": {"is_pinned": True}}}
    (said,) = OMLX_07.ignored(file)
    assert "model_settings.json: omlx 0.7.0 has no key 'mtp_num_draft_tokens'" in said
    assert "(m)" in said
    assert OMLX_05.ignored(file) == []
    assert TABLE.ignored(file) == [], "it was not asked, so nothing is known"
    broken: tuple[Any, ...] = (None, {}, {"models": []}, {"models": {"m": None}})
    assert [OMLX_07.ignored(one) for one in broken] == [[]] * 4


@pytest.mark.parametrize(
    "answer", [{}, {"settings": {}}, {"settings": [], "model": {}}, {"settings": {}, "model": {}}]
)
def test_an_omlx_that_told_nothing_is_measured_by_the_table(answer: dict[str, Any]) -> None:
    assert schema.from_answer(answer) == TABLE


def test_the_answer_is_read_from_the_environment(tmp_path: Path) -> None:
    assert schema.of_program(None) == TABLE
    assert schema.of_program(str(tmp_path)) == TABLE
    (tmp_path / "answer.json").write_text(json.dumps(NEW))
    assert schema.of_program(str(tmp_path)) == OMLX_07
    (tmp_path / "answer.json").write_text("{")
    assert schema.of_program(str(tmp_path)) == TABLE


def test_the_table_is_omlx_0_5_but_for_what_came_since() -> None:
    since = {new for keys in SUCCESSORS.values() for new in keys}
    assert {*MODEL, *SUCCESSORS} - since == set(OLD["model"])
    keys = {name: set(keys) for name, keys in OLD["settings"].items()}
    keys["auth"] -= {"api_key", "secret_key", "sub_keys"}  # have parameters, or are omlx's own
    assert {name: set(rules) for name, rules in SETTINGS.items()} == keys


KIND_WORDS = {
    "text": "text",
    "one of": "text",
    "a whole number": "whole",
    "a number": "number",
    "true or false": "flag",
    "a list": "texts",
    "a dictionary": "mapping",
}


def kind(check: Any) -> str:
    """omlx's word for what a check takes."""
    if not [*check("it", []), *check("it", "")]:
        return "text or texts"
    (sentence,) = check("it", object())
    return next(kind for words, kind in KIND_WORDS.items() if f"must be {words}" in sentence)


def test_the_table_s_kinds_are_omlx_s() -> None:
    # a list of addresses is taken too, see known.py
    differs = {("server", "host")}
    told = {
        (name, key): kind for name, keys in OLD["settings"].items() for key, kind in keys.items()
    }
    told |= {("a model", key): kind for key, kind in OLD["model"].items()}
    rules = {(name, key): rule for name, keys in SETTINGS.items() for key, rule in keys.items()}
    rules |= {("a model", key): rule for key, rule in MODEL.items()}
    wrong = {at for at, rule in rules.items() if at in told and kind(rule) != told[at]}
    assert wrong == differs


def test_anything_fits_a_kind_that_is_not_known() -> None:
    values: tuple[Any, ...] = ("x", 1, [None], {})
    assert [list(KINDS["any"]("k", value)) for value in values] == [[]] * 4

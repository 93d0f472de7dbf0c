"""Who wins: what a run asks for, what was chosen before, or what the inventory says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.inventory import (
    profile_choice,
)

LEAN = profile_choice.Choice("lean", "default")


@pytest.mark.parametrize(
    ("said", "asked", "kept", "want"),
    [
        ("default", "", None, profile_choice.Wanted("default", False, True)),
        ("default", "lean", None, profile_choice.Wanted("lean", True, False)),
        ("default", "lean", LEAN, profile_choice.Wanted("lean", True, True)),
        ("default", "", LEAN, profile_choice.Wanted("lean", True, True)),
        # the line was edited after the choice: the inventory spoke last
        ("mlx-coding", "", LEAN, profile_choice.Wanted("mlx-coding", False, True)),
        # back to what the inventory says is a choice too, or a cut-off run would forget it
        ("default", "default", LEAN, profile_choice.Wanted("default", True, False)),
    ],
)
def test_the_last_word_wins(
    said: str, asked: str, kept: profile_choice.Choice | None, want: profile_choice.Wanted
) -> None:
    assert profile_choice.settle(said, asked, kept) == want


def test_a_choice_is_read_back_and_nonsense_is_none(tmp_path: Path) -> None:
    path = tmp_path / "attic.json"
    assert profile_choice.read(path) is None
    path.write_text(LEAN.text())
    assert profile_choice.read(path) == LEAN
    path.write_text("[]")
    assert profile_choice.read(path) is None


def record(profile: str, chosen: bool, said: str) -> dict[str, object]:
    return {"serving": {"profile": profile, "chosen": chosen, "inventory_profile": said}}


@pytest.mark.parametrize(
    ("served", "wanted", "objects"),
    [
        (record("lean", True, "default"), ("default", False), True),
        (record("lean", True, "default"), ("default", True), False),
        (record("lean", True, "default"), ("lean", False), False),
        (record("lean", True, "mlx-coding"), ("default", False), False),
        (record("lean", False, "default"), ("default", False), False),
        ({}, ("default", False), False),
    ],
)
def test_what_another_checkout_chose_is_not_undone_silently(
    served: dict[str, object], wanted: tuple[str, bool], objects: bool
) -> None:
    serving = {"profile": wanted[0], "chosen": wanted[1], "inventory_profile": "default"}
    answer = profile_choice.error("attic", served, serving, "choose {}".format)
    assert (answer is not None) == objects
    if answer:
        assert "another checkout" in answer
        assert "`choose lean` to stay" in answer
        assert "`choose default` to switch" in answer

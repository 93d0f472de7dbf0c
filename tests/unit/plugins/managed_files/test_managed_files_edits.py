# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks and lines inside texts of other people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.managed_files.edits import (
    DamagedBlockError,
    with_block,
    with_line,
    without_block,
    without_line,
)

OURS = "# BEGIN closet.inference env\nnew\n# END closet.inference env\n"
OLD = "# BEGIN closet.inference env\nold\nolder\n# END closet.inference env\n"


@pytest.mark.parametrize(
    ("have", "want"),
    [
        pytest.param("", OURS, id="empty file"),
        pytest.param("a\n", "a\n" + OURS, id="appended"),
        pytest.param("a", "a\n" + OURS, id="last line had no end"),
        pytest.param(f"a\n{OLD}b\n", f"a\n{OURS}b\n", id="replaced in its place"),
        pytest.param(OLD[:-1], OURS, id="end marker without line feed"),
        pytest.param(f"{OLD}a\n{OLD}", f"{OURS}a\n", id="a second one goes"),
        pytest.param("a\x0cb\r\n", "a\x0cb\r\n" + OURS, id="other people's odd characters stay"),
        pytest.param(
            "# BEGIN closet.inference other\nx\n# END closet.inference other\n",
            "# BEGIN closet.inference other\nx\n# END closet.inference other\n" + OURS,
            id="another name is another block",
        ),
    ],
)
def test_with_block(have: str, want: str) -> None:
    made = with_block(have, "env", "new")
    assert made == want
    assert with_block(made, "env", "new") == made


def test_an_empty_block_keeps_its_place() -> None:
    assert with_block(OLD, "env", "") == OURS.replace("new\n", "")


def test_without_block_leaves_the_rest() -> None:
    assert without_block(f"a\n{OLD}b\n", "env") == "a\nb\n"
    assert without_block("a\n", "env") == "a\n"


@pytest.mark.parametrize(
    ("have", "words"),
    [
        pytest.param("x\n# BEGIN closet.inference env\n", "line 2", id="no end"),
        pytest.param("# END closet.inference env\n", "comes before it", id="no begin"),
        pytest.param(OLD.replace("older\n", "# BEGIN closet.inference env\n"), "line 1", id="two"),
    ],
)
def test_unpaired_markers_are_not_guessed_at(have: str, words: str) -> None:
    with pytest.raises(DamagedBlockError, match=words):
        with_block(have, "env", "new")


LIMIT = "iogpu.wired_limit_mb=98304"
PATTERN = r"^iogpu\.wired_limit_mb="


@pytest.mark.parametrize(
    ("have", "match", "want"),
    [
        pytest.param("", PATTERN, LIMIT + "\n", id="empty"),
        pytest.param("a=1", PATTERN, f"a=1\n{LIMIT}\n", id="appended after an unended line"),
        pytest.param(
            "iogpu.wired_limit_mb=1\na=1\n", PATTERN, f"{LIMIT}\na=1\n", id="replaced in place"
        ),
        pytest.param(
            f"a=1\niogpu.wired_limit_mb=1\n{LIMIT}\nb=1\n",
            PATTERN,
            f"a=1\n{LIMIT}\nb=1\n",
            id="only one is left",
        ),
        pytest.param(f"{LIMIT}\n", "no match", f"{LIMIT}\n", id="ours, though match misses it"),
        pytest.param("a=1\n", None, f"a=1\n{LIMIT}\n", id="no pattern"),
        pytest.param(LIMIT, None, LIMIT, id="ours without line feed is right"),
    ],
)
def test_with_line(have: str, match: str | None, want: str) -> None:
    made = with_line(have, LIMIT, match)
    assert made == want
    assert with_line(made, LIMIT, match) == made


def test_without_line() -> None:
    assert without_line("a\niogpu.wired_limit_mb=1\nb\n", None, PATTERN) == "a\nb\n"
    assert without_line("a\nb", "b", None) == "a\n"


texts = st.text(st.sampled_from("ab#=\n\r"), max_size=40)


@given(texts, texts)
def test_block_in_and_out_again_gives_the_text_back(have: str, block: str) -> None:
    whole = have if not have or have.endswith("\n") else have + "\n"
    made = with_block(have, "env", block)
    assert with_block(made, "env", block) == made
    assert without_block(made, "env") == whole


@given(texts, st.text(st.sampled_from("ab#="), min_size=1, max_size=3))
def test_planning_a_line_again_changes_nothing(have: str, line: str) -> None:
    made = with_line(have, line, "^a")
    assert with_line(made, line, "^a") == made
    assert line in made.split("\n")

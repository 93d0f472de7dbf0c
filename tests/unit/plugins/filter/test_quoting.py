# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of shell files and Caddyfiles; tests/unit/templates reads them back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.filter.quoting import (
    caddy_json,
    caddy_word,
    shell_word,
)


@pytest.mark.parametrize(
    ("text", "word"),
    [("a", "'a'"), ("", "''"), ("=ls", "'=ls'"), ("it's", "'it'\"'\"'s'"), (5, "'5'")],
)
def test_a_word_of_the_shell_is_in_quotes(text: Any, word: str) -> None:
    assert shell_word(text) == word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a b", '"a b"'),
        ("CORP\\jane", '"CORP\\jane"'),
        ('x"y', '"x\\"y"'),
        ('x\\"y', '`x\\"y`'),
        ("x\\", "`x\\`"),
        ("x`y", '"x`y"'),
    ],
)
def test_an_argument_of_caddy(text: str, word: str) -> None:
    assert caddy_word(text) == word


@pytest.mark.parametrize("text", ["{$HOME}", "}", "a\nb", '`\\"', "`\\"])
def test_what_no_caddyfile_can_hold_is_refused(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="a Caddyfile cannot hold"):
        caddy_word(text)


@pytest.mark.parametrize("value", ["{$X}", "`", "\\{a}", '"{', {"a": ["{env.X}"]}, {"`{": "é"}])
def test_json_for_caddy_has_no_sign_of_its_own_in_a_text(value: Any) -> None:
    text = caddy_json(value)
    assert (text[0], text[-1]) == ("`", "`")
    assert "`" not in text[1:-1] and "{$" not in text and "{env" not in text
    assert json.loads(text[1:-1]) == value


def test_a_shell_holds_no_nul() -> None:
    with pytest.raises(AnsibleFilterError, match="a shell cannot hold a NUL"):
        shell_word("a\0b")

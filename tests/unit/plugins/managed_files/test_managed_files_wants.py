# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task may ask managed_files for, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
    digest,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    parse_wants,
)

FILE = {"path": "/etc/x", "content": "a\n"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param({"path": "~/x", "content": ""}, "not an absolute path", id="tilde"),
        pytest.param({"path": "x", "content": ""}, "not an absolute path", id="relative"),
        pytest.param({"path": None, "content": ""}, "not an absolute path", id="none"),
        pytest.param({"path": "/a/../b", "content": ""}, "not a plain path", id="dots"),
        pytest.param({"path": "/a"}, "nothing says what", id="no content"),
        pytest.param({**FILE, "link": "/b"}, "not several", id="two contents"),
        pytest.param({**FILE, "mode": "0o644"}, "octal", id="mode in Python's words"),
        pytest.param({**FILE, "mode": "rw"}, "octal", id="mode in words"),
        pytest.param({**FILE, "mode": 0o644}, "quoted", id="mode unquoted"),
        pytest.param(
            {"path": "/a", "link": "/b", "state": "absent"}, "has no link", id="absent with link"
        ),
        pytest.param(
            {"path": "/a", "content": "x", "state": "absent"},
            "an absent file has no content",
            id="absent with content",
        ),
        pytest.param({**FILE, "state": "directory"}, "directory has no", id="folder with content"),
        pytest.param({**FILE, "validate": ["visudo", "-c"]}, "no '%s'", id="blind validator"),
        pytest.param({"path": "/a", "block": "x"}, "block_name", id="nameless block"),
        pytest.param(
            {"path": "/a", "block": "# END closet.inference q\n", "block_name": "q"},
            "marker",
            id="marker in a block",
        ),
        pytest.param({"path": "/a", "line": "x\ny"}, "line feed", id="two lines"),
        pytest.param({"path": "/a", "line": "x", "match": "("}, "not a pattern", id="pattern"),
        pytest.param({"path": "/a", "link": "~/b"}, "no link target", id="tilde in link"),
        pytest.param({"path": "/a", "link": "/b", "mode": "0644"}, "neither mode", id="link mode"),
    ],
)
def test_refused(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(FilesRefusedError, match=words):
        parse_wants([entry])


def test_one_path_twice_is_a_mistake_unless_both_are_edits() -> None:
    with pytest.raises(FilesRefusedError, match="listed twice"):
        parse_wants([FILE, {**FILE, "path": "/etc//x/"}])
    (want,) = parse_wants(
        [
            {"path": "/a", "line": "x", "mode": "0600"},
            {"path": "/a", "block": "y", "block_name": "b"},
        ]
    )
    assert [edit.kind for edit in want.edits] == ["line", "block"]
    assert want.mode == 0o600
    with pytest.raises(FilesRefusedError, match="two blocks of one name"):
        parse_wants([{"path": "/a", "block": "y", "block_name": "b"}] * 2)
    with pytest.raises(FilesRefusedError, match="different mode"):
        parse_wants(
            [
                {"path": "/a", "line": "x", "mode": "0600"},
                {"path": "/a", "line": "y", "mode": "0644"},
            ]
        )


def test_secret_text_comes_from_beside() -> None:
    (want,) = parse_wants([{"path": "/a", "content": "0", "secret": True}], ["sk-1"])
    assert want.data == b"sk-1"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param({**FILE, "mode": "0600", "owner": "root"}, True, id="attributes"),
        pytest.param({**FILE, "content": "b\n"}, False, id="content"),
        pytest.param({**FILE, "path": "/etc/y"}, False, id="path"),
        pytest.param({"path": "/etc/x", "state": "absent"}, False, id="absent"),
        pytest.param({"path": "/etc/x", "line": "a"}, False, id="kind"),
    ],
)
def test_digest_is_about_contents(other: dict[str, Any], same: bool) -> None:
    assert (digest(parse_wants([FILE])) == digest(parse_wants([other]))) is same


def test_digest_does_not_depend_on_the_order() -> None:
    first, second = FILE, {"path": "/etc/y", "content": "b"}
    assert digest(parse_wants([first, second])) == digest(parse_wants([second, first]))

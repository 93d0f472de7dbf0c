# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry or a block of ours in a file of somebody else: put in, taken out, refused in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
from ansible_collections.closet.inference.plugins.module_utils.managed_files.wants import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.runner import Runner

ZED = '{\n  // mine\n  "theme": "Ayu",\n}\n'
AT = ["language_models", "openai_compatible", "closet"]
LIST = r"(?:[ \t]*(?:#.*)?\n)*(?:-(?: .*)?\n(?:(?:-(?: .*)?|[ \t].*|#.*)?\n)*)?"
BLOCK = "- model_id: closet\n  model_name: a\n"


def run(
    entry: dict[str, Any], tmp_path: Path, check: bool = False, secrets: tuple[str, ...] = ()
) -> tuple[dict[str, Any], list[str]]:
    params = {"files": [entry], "secret_contents": list(secrets)}
    return execute(params, Runner(), str(tmp_path), check)


def entry(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "entry": '{"api_url": "http://a/v1"}', "entry_at": AT, **more}


def test_an_entry_is_put_in_once_and_taken_out_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(ZED)
    file.chmod(0o640)
    foreseen, _ = run(entry(file), tmp_path, check=True)
    assert file.read_text() == ZED
    done, warnings = run(entry(file), tmp_path)
    assert done["diff"] == foreseen["diff"]
    assert warnings == []
    assert '// mine\n  "theme": "Ayu"' in file.read_text()
    assert '"api_url": "http://a/v1"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert not run(entry(file), tmp_path)[0]["changed"]
    out = {"path": str(file), "entry_at": AT, "state": "absent"}
    assert run(out, tmp_path)[0]["changed"]
    assert file.read_text() == ZED
    assert not run(out, tmp_path)[0]["changed"]


def test_a_file_that_held_nothing_else_goes(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    run(entry(file), tmp_path)
    assert json.loads(file.read_text())["language_models"]["openai_compatible"]["closet"]
    out = {"path": str(file), "entry_at": AT, "state": "absent"}
    assert run(out, tmp_path, check=True)[0]["changed"]
    assert file.exists()
    run(out, tmp_path)
    assert not file.exists()
    assert not run(out, tmp_path)[0]["changed"]


def test_a_file_that_cannot_be_read_is_refused_with_what_to_put_in(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{\n  theme: Ayu\n}\n")
    with pytest.raises(FilesRefusedError) as caught:
        run(entry(file), tmp_path)
    said = str(caught.value)
    assert f"{file} belongs to somebody else and cannot be edited safely: line 2: a key" in said
    assert "by hand at language_models > openai_compatible > closet" in said
    assert '{"api_url": "http://a/v1"}' in said
    assert said.endswith("Nothing was written.")
    assert file.read_text() == "{\n  theme: Ayu\n}\n"


def test_a_secret_is_not_in_the_refusal(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("[]")
    wanted = {"path": str(file), "entry": "0", "entry_at": ["closet"], "secret": True}
    with pytest.raises(FilesRefusedError) as caught:
        run(wanted, tmp_path, secrets=('"sk-secret"',))
    assert "sk-secret" not in str(caught.value)
    assert "not shown" in str(caught.value)
    file.write_text('{"openai": "sk-mine"}')
    done, _ = run(wanted, tmp_path, secrets=('"sk-secret"',))
    assert json.loads(file.read_text()) == {"openai": "sk-mine", "closet": "sk-secret"}
    assert "sk-" not in str(done)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "warns"),
    [("{broken", False), ('{"language_models": {"closet"', True), ("[1]", False)],
)
def test_nothing_is_taken_out_of_what_cannot_be_read(
    tmp_path: Path, text: str, warns: bool
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    done, warnings = run({"path": str(file), "entry_at": AT, "state": "absent"}, tmp_path)
    assert not done["changed"]
    assert file.read_text() == text
    assert [" > ".join(AT) in warning for warning in warnings] == ([True] if warns else [])


def test_a_link_of_somebody_else_is_followed(tmp_path: Path) -> None:
    file, link = tmp_path / "dotfiles.json", tmp_path / "settings.json"
    file.write_text(ZED)
    link.symlink_to(file)
    run(entry(link), tmp_path)
    assert link.is_symlink()
    assert "http://a/v1" in file.read_text()


@pytest.mark.parametrize(
    "text",
    ["", "# a comment\n\n", "- model_id: mine\n  model_name: x\n# end\n- model_id: y\n"],
    ids=["empty", "comment", "list"],
)
def test_a_block_joins_a_list(tmp_path: Path, text: str) -> None:
    file = tmp_path / "extra.yaml"
    file.write_text(text)
    block = {"path": str(file), "block_name": "llm", "block": BLOCK, "fits": LIST}
    run(block, tmp_path)
    assert file.read_text().startswith(text)
    assert BLOCK in file.read_text()
    assert not run(block, tmp_path)[0]["changed"]
    run({"path": str(file), "block_name": "llm", "state": "absent", "fits": LIST}, tmp_path)
    assert (file.read_text() if os.path.lexists(file) else "") == text


@pytest.mark.parametrize("text", ["models: []\n", "[]\n", "  - model_id: mine\n", "--- x\n"])
def test_a_block_is_refused_where_it_would_not_fit(tmp_path: Path, text: str) -> None:
    file = tmp_path / "extra.yaml"
    file.write_text(text)
    block = {"path": str(file), "block_name": "llm", "block": BLOCK, "fits": LIST}
    with pytest.raises(FilesRefusedError, match="not of the shape") as caught:
        run(block, tmp_path)
    assert BLOCK in str(caught.value)
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"entry_at": []}, "an entry needs entry_at"),
        ({"entry_at": ["a", ""]}, "an entry needs entry_at"),
        ({"entry": "{'a': 1}"}, "the entry is not JSON"),
        ({"content": "x"}, "give one of content, entry, not several"),
        ({"entry": None, "block": "x", "block_name": "y", "fits": "("}, "is not a pattern"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(FilesRefusedError, match=sentence):
        run(entry(tmp_path / "x", **more), tmp_path)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of somebody else that ours may not fit into, and what a program adds to ours."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import (
    FilesRefusedError,
)
from ansible_collections.closet.inference.plugins.module_utils.managed_files.run import execute
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
    ours = [{"at": AT, "value": {"api_url": "http://a/v1"}, "partial": True}]
    return {"path": str(path), "record": str(path) + ".record", "merge": ours, **more}


def model(path: Path, url: str) -> dict[str, Any]:
    ours = {"at": [{"name": "closet"}], "value": {"name": "closet", "url": url}, "partial": True}
    return entry(path, merge=[ours])


def test_a_file_that_cannot_be_read_is_refused_with_what_to_put_in(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{\n  theme: Ayu\n}\n")
    with pytest.raises(FilesRefusedError) as caught:
        run(entry(file), tmp_path)
    said = str(caught.value)
    assert f"{file} is not ours and cannot be edited safely: line 2" in said
    shown = said[said.index("{") : said.rindex("}") + 1]
    assert json.loads(shown)["language_models"]["openai_compatible"]["closet"]
    assert said.endswith("}\nNothing was written.")
    assert file.read_text() == "{\n  theme: Ayu\n}\n"


def test_a_secret_is_not_in_the_refusal(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("[]")
    wanted = entry(file, merge="0", secret=True)
    given = (json.dumps([{"at": ["closet"], "value": "sk-secret"}]),)
    with pytest.raises(FilesRefusedError) as caught:
        run(wanted, tmp_path, secrets=given)
    assert "sk-secret" not in str(caught.value)
    assert "not shown" in str(caught.value)
    file.write_text('{"openai": "sk-mine"}')
    done, _ = run(wanted, tmp_path, secrets=given)
    assert json.loads(file.read_text()) == {"openai": "sk-mine", "closet": "sk-secret"}
    assert "sk-" not in str(done)
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_taken_out_of_what_cannot_be_read_until_it_can(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    run(entry(file), tmp_path)
    good = file.read_text()
    file.write_text(good[:-3])
    done, warnings = run(entry(file, merge=[]), tmp_path)
    assert not done["changed"]
    assert file.read_text() == good[:-3]
    assert ["may still hold language_models" in warning for warning in warnings] == [True]
    file.write_text(good)
    done, warnings = run(entry(file, merge=[]), tmp_path)
    assert (done["changed"], warnings, list(tmp_path.iterdir())) == (True, [], [])


def test_ours_are_gone_when_what_held_them_is_something_else(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    run(entry(file), tmp_path)
    file.write_text("[1]")
    assert run(entry(file, merge=[]), tmp_path)[1] == []
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
    assert file.read_text() == "[1]"


@pytest.mark.parametrize("text", ["{broken", ZED])
def test_a_file_that_was_never_ours_is_not_touched(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    file.chmod(0o640)
    done, warnings = run(entry(file, merge="0", secret=True), tmp_path, secrets=("[]",))
    assert (done["changed"], warnings, file.read_text()) == (False, [], text)
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_a_program_adds_to_ours_stays_and_goes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text('[\n  {"name": "other"}\n]\n')
    run(model(file, "http://a"), tmp_path)
    added = file.read_text().replace(
        '"name": "closet",', '"apiKey": "ref", // x\n"name": "closet",'
    )
    file.write_text(added)
    assert not run(model(file, "http://a"), tmp_path)[0]["changed"]
    assert file.read_text() == added
    run(model(file, "http://b"), tmp_path)
    assert file.read_text() == added.replace("http://a", "http://b")
    run(entry(file, merge=[]), tmp_path)
    assert file.read_text() == '[\n  {"name": "other"}\n]\n'


def test_an_object_in_ours_may_have_more_too_and_one_with_other_values_is_not_ours(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"a": {"b": {"mine": 1, "ours": 2}}}')
    wanted = {"at": ["a"], "value": {"b": {"ours": 2}}}
    run(entry(file, merge=[{**wanted, "partial": True}]), tmp_path)
    assert json.loads(file.read_text()) == {"a": {"b": {"mine": 1, "ours": 2}}}
    Path(f"{file}.record").unlink()
    with pytest.raises(FilesRefusedError, match="has an entry a that did not come from us"):
        run(entry(file, merge=[wanted]), tmp_path)


def test_a_place_inside_an_element_makes_the_element_and_takes_it_away(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text("[]\n")
    run(entry(file, merge=[{"at": [{"name": "closet"}, "url"], "value": "u"}]), tmp_path)
    assert json.loads(file.read_text()) == [{"name": "closet", "url": "u"}]
    run(entry(file, merge=[]), tmp_path)
    assert file.read_text() == "[]\n"


def test_lines_end_as_they_did(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(ZED.replace("\n", "\r\n").encode())
    run(entry(file), tmp_path)
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n") > 4
    run(entry(file, merge=[]), tmp_path)
    assert file.read_bytes() == ZED.replace("\n", "\r\n").encode()


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


def test_a_shape_that_is_no_pattern_is_refused(tmp_path: Path) -> None:
    block = {"path": str(tmp_path / "x"), "block": "x", "block_name": "y", "fits": "("}
    with pytest.raises(FilesRefusedError, match="is not a pattern"):
        run(block, tmp_path)

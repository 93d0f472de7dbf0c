"""Each case of the contract says where it is from and how certain that is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FILES = ("test_launchctl.py", "test_supervision.py", "test_user.py")


@pytest.mark.only_double("reads the suite, not a launchctl")
@pytest.mark.parametrize("name", FILES)
def test_each_case_names_its_source_and_its_confidence(name: str) -> None:
    tree = ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8"))
    cases = [node for node in tree.body if getattr(node, "name", "").startswith("test_")]
    assert len(cases) > 5
    for case in cases:
        assert isinstance(case, ast.FunctionDef)
        calls = [node for node in case.decorator_list if isinstance(node, ast.Call)]
        sources = [call for call in calls if ast.unparse(call.func) == "pytest.mark.source"]
        assert [len(call.args) for call in sources] == [2], case.name

"""What Ansible gets of a module: its result, its warnings, its failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.closet.inference.plugins.module_utils.entry import (
    Module,
    ModuleError,
    run_module,
)

OPTIONS = {"name": {"type": "str"}}


class Call:
    """One run of a module that does what it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.warned: list[str] = []
        self._capsys = capsys
        monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: self.warned.append(text))

    def __call__(self, does: Any, *errors: type[Exception], **arguments: Any) -> dict[str, Any]:
        def work(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
            if isinstance(does, Exception):
                raise does
            return {**does, "seen": [options["name"], check_mode]}

        with patch_module_args({"name": "a", **arguments}), pytest.raises(SystemExit) as ended:
            run_module(Module(OPTIONS, work, errors))
        answer: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        assert bool(ended.value.code) is bool(answer.get("failed"))
        return answer


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    return Call(monkeypatch, capsys)


def test_a_result_with_options_and_check_mode(call: Call) -> None:
    assert call({"changed": True})["seen"] == ["a", False]
    assert call({"changed": True}, _ansible_check_mode=True)["seen"] == ["a", True]


def test_warnings_are_said(call: Call) -> None:
    assert "failed" not in call({"changed": False, "warnings": ["one", "two"]})
    assert call.warned == ["one", "two"]


def test_a_diff_only_when_it_is_asked_for(call: Call) -> None:
    does = {"changed": True, "diff": {"before": "", "after": "x\n"}}
    assert "diff" not in call(does)
    assert call(does, _ansible_diff=True)["diff"] == does["diff"]


def test_a_failed_result_warns_and_keeps_what_it_says(call: Call) -> None:
    answer = call({"failed": True, "msg": "no", "jobs": [1], "warnings": ["one"]})
    assert (answer["msg"], answer["jobs"], call.warned) == ("no", [1], ["one"])


def test_an_error_of_the_module_is_its_sentence(call: Call) -> None:
    assert call(LookupError("not there"), LookupError)["msg"] == "not there"


def test_an_error_may_bring_a_part_of_the_result(call: Call) -> None:
    answer = call(ModuleError("half done", changed=True))
    assert (answer["msg"], answer["changed"], answer["failed"]) == ("half done", True, True)


def test_constraints_of_options_reach_ansible(
    call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch_module_args({}), pytest.raises(SystemExit):
        run_module(Module(OPTIONS, lambda *_: {}, constraints={"required_one_of": [["name"]]}))
    assert "one of the following is required: name" in json.loads(capsys.readouterr().out)["msg"]

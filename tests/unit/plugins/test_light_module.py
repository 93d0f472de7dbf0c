"""Light runs do what Ansible's own way to run a module does, or leave the module to it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import constants
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.closet.inference.plugins.module_utils import light_run
from ansible_collections.closet.inference.plugins.plugin_utils import light_module
from ansible_collections.closet.inference.plugins.plugin_utils.light_module import (
    Light,
    LightModule,
)
from tests.unit.test_imports import FILES, reached

ACTIONS = {
    name.partition(".")[2]: importlib.import_module(light_module.PREFIX + name).ActionModule
    for name in FILES
    if name.startswith("action.")
}
LIGHT = sorted(name for name, action in ACTIONS.items() if issubclass(action, LightModule))
ASKED = {"_ansible_check_mode": False, "_ansible_diff": False, "_ansible_no_log": True}
SECRET = "sk-3b1946ac92492d23"


def ran(name: str, arguments: dict[str, Any], **asked: bool) -> subprocess.CompletedProcess[str]:
    flags = {f"_ansible_{flag}": value for flag, value in asked.items()}
    built = Light(name).built({**arguments, **ASKED, **flags}, sys.executable)
    assert built is not None
    return subprocess.run(
        # as over ssh: the program comes on standard input, and there is no collection
        [sys.executable, "-I", "-S"],
        input=built.b_module_data.decode(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == int(answer.get("failed", False))
    return answer


def test_the_modules_of_every_run_are_light() -> None:
    of_every_run = {"managed_files", "launchd_job", "omlx_model", "omlx_settings"}
    assert of_every_run | {"inference_endpoint", "power_settings"} <= set(LIGHT)


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_run_has_all_that_the_module_imports_and_nothing_of_ansible(name: str) -> None:
    sent = light_module.sources(FILES[f"modules.{name}"])
    packages = {its for its, path in FILES.items() if path.name == "__init__.py"}
    wanted = reached([f"modules.{name}"]) - packages
    assert set(sent) == {light_module.PREFIX + its for its in wanted}
    for its, text in sent.items():
        # entry's import of AnsibleModule is for the ordinary way alone
        assert ("ansible.module_utils" in text) == its.endswith(".module_utils.entry"), its


@pytest.mark.parametrize("name", LIGHT)
def test_an_action_plugin_runs_its_own_module(name: str) -> None:
    assert ACTIONS[name].LIGHT.full_name == f"{light_module.PREFIX}modules.{name}"


def test_it_writes_and_reports(tmp_path: Path) -> None:
    wanted = {"files": [{"path": str(tmp_path / "a"), "content": "b\n", "mode": "0640"}]}
    if os.geteuid() == 0:
        wanted = {"files": [{"path": "/etc/closet-light-test", "state": "absent"}]}
    first = result(ran("managed_files", wanted, check_mode=True, diff=True))
    assert first["changed"] == (os.geteuid() != 0)
    assert ("diff" in first) and "diff" not in result(ran("managed_files", wanted, check_mode=True))
    assert first["invocation"]["module_args"]["files"][0]["secret"] is False


def test_a_refusal_is_a_sentence() -> None:
    wanted = {"files": [{"path": "/tmp/x", "content": "b", "owner": "nobody-has-this-name"}]}
    answer = result(ran("managed_files", wanted, check_mode=True))
    assert answer["failed"] and answer["msg"].endswith("Nothing was written.")
    assert "exception" not in answer


def test_an_exception_is_a_result_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    light = Light("power_settings")
    broken = {
        name: text + "\nraise OSError('gone')\n"
        for name, text in light_module.sources(light.path).items()
        if name.endswith("modules.power_settings")
    }
    monkeypatch.setattr(light, "sources", light_module.packed(broken))
    built = light.built(ASKED, sys.executable)
    assert built is not None
    done = subprocess.run(
        [sys.executable, "-I", "-S"],
        input=built.b_module_data.decode(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    answer = result(done)
    assert answer["failed"]
    assert "Traceback" in answer["exception"]


def test_no_secret_leaves_the_host() -> None:
    done = ran(
        "inference_endpoint",
        {
            "url": f"http://127.0.0.1:9/{SECRET}",
            "api_key": SECRET,
            "timeout_s": 0.1,
        },
    )
    answer = result(done)
    assert answer["failed"]
    assert SECRET not in done.stdout
    assert answer["invocation"]["module_args"]["api_key"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        1234567,
        "plain",
        SECRET,
        f"a {SECRET} b {SECRET}",
        [SECRET, 1],
        (SECRET,),
        {"key": {"of": [f"x{SECRET}"]}, SECRET: "a name is no secret"},
        12345,
        {1.5: "12345 and"},
    ],
)
def test_secrets_are_masked_as_ansible_masks_them(value: Any) -> None:
    secrets = [SECRET, "12345"]
    want = remove_values(value, set(secrets))
    assert light_run.masked(value, secrets) == (list(want) if isinstance(want, tuple) else want)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("managed_files", {}),
        ("managed_files", {"files": [{"path": "/x", "contents": "a"}]}),
        ("managed_files", {"files": [{"path": "/x", "state": "gone"}]}),
        ("inference_endpoint", {"url": "http://a", "timeout_s": "soon"}),
        ("launchd_job", {"state": "loaded"}),
        ("launchd_job", {"label": "a", "jobs": [{"label": "b"}]}),
        # a host expands these in its own way
        ("launchd_job", {"label": "a", "path": "~/Library/LaunchAgents/a.plist"}),
        ("launchd_job", {"label": "a", "path": "$HOME/a.plist"}),
        ("opencode_config_info", {"home": "~ada"}),
    ],
)
def test_what_the_validator_objects_to_is_left_to_ansible(
    name: str, arguments: dict[str, Any]
) -> None:
    assert Light(name).built({**arguments, **ASKED}, sys.executable) is None


class Plain(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Ansible's part."""

    def __init__(self, task: Any, connection: Any) -> None:
        self._task, self._connection = task, connection
        self._templar = SimpleNamespace(template=lambda value: value)

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        return {}

    def _configure_module(self, *_: Any) -> tuple[str, str]:
        return "ansible's", "way"


class Action(LightModule, Plain):
    LIGHT = Light("power_settings")


USUAL: dict[str, Any] = {"async_val": 0, "delegate_to": None}


@pytest.mark.parametrize(
    ("name", "task", "connection", "python", "light"),
    [
        ("power_settings", {}, {}, "/usr/bin/python3", True),
        ("ansible.legacy.async_wrapper", {}, {}, "/usr/bin/python3", False),
        ("power_settings", {"async_val": 60}, {}, "/usr/bin/python3", False),
        ("power_settings", {"delegate_to": "other"}, {}, "/usr/bin/python3", False),
        ("power_settings", {}, {"_remote_is_local": True}, "/usr/bin/python3", False),
        ("power_settings", {}, {}, "auto", False),
        ("power_settings", {}, {}, "python3", False),
    ],
)
def test_what_is_unusual_is_left_to_ansible(
    name: str, task: dict[str, Any], connection: dict[str, Any], python: str, light: bool
) -> None:
    action = Action(SimpleNamespace(**{**USUAL, **task}), SimpleNamespace(**connection))
    full = name if "." in name else f"closet.inference.{name}"
    built, path = action._configure_module(
        full, dict(ASKED), {"ansible_python_interpreter": python}
    )
    assert (path != "way") == light
    if light:
        assert built.shebang == f"#!{python}"
        assert built.b_module_data.startswith(f"#!{python}\n".encode())


def test_who_debugs_a_module_gets_ansibles_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_KEEP_REMOTE_FILES", True)
    action = Action(SimpleNamespace(**USUAL), SimpleNamespace())
    asked = {"ansible_python_interpreter": "/usr/bin/python3"}
    assert action._configure_module("closet.inference.power_settings", {}, asked)[1] == "way"


def test_a_limit_of_open_files_is_ansibles_to_set() -> None:
    action = Action(SimpleNamespace(**USUAL), SimpleNamespace())
    asked = {
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_python_module_rlimit_nofile": 1024,
    }
    assert action._configure_module("closet.inference.power_settings", {}, asked)[1] == "way"

"""What the omlx role asks to be installed, as Ansible works it out from its variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ansible_runs import ansible_playbook
from tests.unit import documents

ROOT = Path(__file__).resolve().parents[3]
PIN = "0123456789abcdef0123456789abcdef01234567"
SERVERS = {"wiki": {"url": "http://attic.local/mcp"}}
PLAY = """\
- hosts: localhost
  gather_facts: false
  vars_files: [{role}/vars/main.yml, {role}/defaults/main.yml]
  vars: {{role_path: {role}}}
  tasks:
    - ansible.builtin.set_fact:
        told: "{{{{ told | default({{}})
                  | combine({{item.key: [__omlx_pin_problem, __omlx_requirements_text]}}) }}}}"
      vars:
        omlx_requirements: "{{{{ item.value.file | default(__default) }}}}"
        omlx_pin: "{{{{ item.value.pin | default('') }}}}"
        omlx_from_source: "{{{{ item.value.source | default(false) }}}}"
        omlx_python: "{{{{ item.value.python | default('3.11') }}}}"
        omlx_mcp_servers: "{{{{ item.value.servers | default({{}}) }}}}"
        __default: "{default}"
      loop: "{{{{ cases | dict2items }}}}"
    - ansible.builtin.copy:
        content: "{{{{ told | to_json }}}}"
        dest: "{out}/told.json"
        mode: "0600"
"""


WHEEL = (
    "omlx @ https://github.com/jundot/omlx/releases/download/v0.7.0/"
    "omlx-0.7.0-cp311-cp311-macosx_15_0_universal2.whl"
    "#sha256=a25b0fbf86579512ced2a45b9aba420a51e6e8f3ee9ea3832ea1b9111d2cc4a7"
)
COMMIT = "4d4f5a280bc1739ba2cf39c1cee44fd5cc89cb40"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Of each case what is wrong with the pin, and the requirements."""
    folder = tmp_path_factory.mktemp("omlx")
    locked = folder / "lock.txt"
    locked.write_text("omlx==1 --hash=sha256:0\n")
    cases: dict[str, dict[str, Any]] = {
        "shipped": {},
        "source": {"source": True},
        "pinned": {"pin": PIN},
        "no pin": {"pin": "main"},
        "a pin for no repository": {"file": str(locked), "pin": PIN},
        "tools": {"servers": SERVERS},
        "locked": {"file": str(locked), "servers": SERVERS, "python": "3.12"},
        **{f"python {one}": {"python": one} for one in (*WRONG_PYTHONS, *RIGHT_PYTHONS)},
        "source python 3.12": {"source": True, "python": "3.12"},
        "no file": {"file": str(folder / "nowhere.txt")},
    }
    defaults = documents.read(ROOT / "roles/omlx/defaults/main.yml")
    default = defaults["omlx_requirements"].strip()
    play = PLAY.format(role=ROOT / "roles/omlx", out=folder, default=default)
    (folder / "play.yml").write_text(play)
    given = ("-i", "localhost,", "-c", "local", folder / "play.yml")
    code, output = ansible_playbook(ROOT, *given, "-e", json.dumps({"cases": cases}))
    assert code == 0, output
    found: dict[str, list[str]] = json.loads((folder / "told.json").read_text())
    return found


WRONG_PYTHONS = ("3.12", "3.13.1", "3.1", "3.110")
RIGHT_PYTHONS = ("3.11", "3.11.9", "python3.11")


@pytest.fixture(scope="module")
def texts(told: dict[str, list[str]]) -> dict[str, str]:
    return {name: text for name, (_problem, text) in told.items()}


def test_the_release_s_wheel_is_pinned_by_its_hash(texts: dict[str, str]) -> None:
    assert texts["shipped"].splitlines()[-2:] == [WHEEL, "httpx>=0.28.1,<1"]
    assert "git+" not in texts["shipped"]
    # a fragment, since `--hash=` would say that everything else has one too
    assert "--hash=" not in texts["shipped"]


def test_the_source_is_a_choice_at_the_release_s_commit(texts: dict[str, str]) -> None:
    assert f"omlx.git@{COMMIT}\n" in texts["source"]
    assert ".whl" not in texts["source"]


def test_a_pin_is_built_from_source_in_place_of_that_commit(texts: dict[str, str]) -> None:
    assert f".git@{PIN}\n" in texts["pinned"]
    assert texts["pinned"].count(".git@") == 1
    assert COMMIT not in texts["pinned"]


@pytest.mark.parametrize("case", ["no pin", "a pin for no repository"])
def test_what_is_no_pin_is_refused(told: dict[str, list[str]], case: str) -> None:
    assert "It must be a commit of omlx, 40 hexadecimal digits" in told[case][0]


def test_a_file_that_is_not_there_is_refused_and_its_table_can_be_used(
    told: dict[str, list[str]],
) -> None:
    problem, text = told["no file"]
    assert problem.endswith("nowhere.txt, which is no file on this computer, or empty.")
    assert text == ""


@pytest.mark.parametrize("python", WRONG_PYTHONS)
def test_the_wheel_is_for_one_python(told: dict[str, list[str]], python: str) -> None:
    problem = " ".join(told[f"python {python}"][0].split())
    assert f"omlx_python is '{python}', and the wheel of omlx is for Python 3.11." in problem
    assert "omlx_from_source: true" in problem


def test_everything_else_is_no_problem(told: dict[str, list[str]]) -> None:
    right = {"shipped", "source", "pinned", "tools", "locked", "source python 3.12"}
    right |= {f"python {one}" for one in RIGHT_PYTHONS}
    assert {name for name, (problem, _text) in told.items() if not problem} == right


def test_the_package_for_mcp_comes_with_the_first_server(texts: dict[str, str]) -> None:
    assert "mcp" not in texts["shipped"]
    assert texts["tools"].splitlines()[-1] == "mcp>=1.24,<2"


def test_a_lock_stays_as_it_is(texts: dict[str, str]) -> None:
    assert texts["locked"] == "omlx==1 --hash=sha256:0"

"""What the omlx role asks to be installed, as Ansible works it out from its variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PIN = "0123456789abcdef0123456789abcdef01234567"
SERVERS = {"wiki": {"url": "http://attic.local/mcp"}}
PLAY = """\
- hosts: localhost
  gather_facts: false
  vars_files: [{role}/vars/main.yml, {role}/defaults/main.yml]
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ __omlx_requirements_text }}}}"
        dest: "{out}/{{{{ item.key }}}}"
        mode: "0600"
      vars:
        omlx_requirements: "{{{{ item.value.file }}}}"
        omlx_pin: "{{{{ item.value.pin | default('') }}}}"
        omlx_mcp_servers: "{{{{ item.value.servers | default({{}}) }}}}"
      loop: "{{{{ cases | dict2items }}}}"
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("omlx")
    shipped = str(ROOT / "roles/omlx/files/omlx.txt")
    locked = folder / "lock.txt"
    locked.write_text("omlx==1 --hash=sha256:0\n")
    cases: dict[str, dict[str, Any]] = {
        "shipped": {"file": shipped},
        "pinned": {"file": shipped, "pin": PIN},
        "tools": {"file": shipped, "servers": SERVERS},
        "locked": {"file": str(locked), "servers": SERVERS},
    }
    (folder / "play.yml").write_text(PLAY.format(role=ROOT / "roles/omlx", out=folder))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local",
         folder / "play.yml", "-e", json.dumps({"cases": cases})],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (folder / name).read_text() for name in cases}


def test_a_pin_takes_the_place_of_the_commit(texts: dict[str, str]) -> None:
    assert PIN not in texts["shipped"]
    assert f".git@{PIN}\n" in texts["pinned"]
    assert texts["pinned"].count(".git@") == 1


def test_the_package_for_mcp_comes_with_the_first_server(texts: dict[str, str]) -> None:
    assert "mcp" not in texts["shipped"]
    assert texts["tools"].splitlines()[-1] == "mcp>=1.24,<2"


def test_a_lock_stays_as_it_is(texts: dict[str, str]) -> None:
    assert texts["locked"] == "omlx==1 --hash=sha256:0"

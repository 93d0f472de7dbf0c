"""The look at the Macs accepts the lab, refuses with a sentence, and touches nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_mac import INVENTORY, ROOT, Mac, inventory

MACS = [name for group in ("closet", "clients") for name in inventory()[group]["hosts"]]
KEPT = "/etc /Library /Users /opt /private /usr/local /var/db"
# what logging in and sudo write, Ansible's scratch folder, and what a running omlx writes by itself
NOT_OURS = (
    "/.ansible",
    "/.omlx/",
    "/.sudo_as_admin_successful",
    "/var/db/sudo",
)


# Molecule asks for colours, which would stand between the words
PLAIN = {
    **os.environ,
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_NOCOLOR": "1",
}


def preflight(*words: str) -> subprocess.CompletedProcess[str]:
    playbook = ["ansible-playbook", "--inventory", str(INVENTORY), "playbooks/preflight.yml"]
    return subprocess.run(
        [*playbook, *words], capture_output=True, text=True, cwd=ROOT, env=PLAIN, timeout=120
    )


@pytest.fixture(scope="module")
def macs() -> list[Mac]:
    return [Mac(name) for name in MACS]


@pytest.fixture
def untouched(macs: list[Mac]) -> Iterator[None]:
    """Fail when a file, folder or link of any Mac was made, changed or removed meanwhile."""
    # the lab's overlay writes a note on some folders when they are first listed: that is over then
    listed = f"find {KEPT} -xdev >/dev/null; date +%s.%N"
    since = {mac.name: mac.read(listed, root=True).strip() for mac in macs}
    yield
    for mac in macs:
        newer = f"find {KEPT} -xdev -ignore_readdir_race -newerct @{since[mac.name]}"
        changed = mac.read(newer, root=True).splitlines()
        strange = [path for path in changed if not any(ours in path for ours in NOT_OURS)]
        assert strange == [], mac.name


@pytest.mark.usefixtures("untouched")
def test_every_mac_of_the_lab_is_accepted() -> None:
    done = preflight()
    assert done.returncode == 0, done.stdout[-3000:]
    recap = done.stdout.split("PLAY RECAP")[1]
    assert all(f"\n{name} " in recap for name in MACS)
    assert recap.count("changed=0 ") == recap.count("changed=")


@pytest.mark.usefixtures("untouched")
def test_a_mac_that_is_too_old_is_named_and_nothing_changes(macs: list[Mac]) -> None:
    newest = max(int(mac.read("sw_vers -productVersion").split(".")[0]) for mac in macs)
    done = preflight("--extra-vars", json.dumps({"preflight_minimum_macos": str(newest)}))
    old = [
        mac.name for mac in macs if int(mac.read("sw_vers -productVersion").split(".")[0]) < newest
    ]
    assert done.returncode != 0
    text = " ".join(done.stdout.split())
    assert "Nothing was changed." in text
    assert old, "the lab has Macs of one version only"
    assert all(f"{name} " in text.split("Nothing was changed.")[1] for name in old)


def test_it_sees_what_the_macs_say_of_themselves(macs: list[Mac], tmp_path: Path) -> None:
    look = ["ansible", "closet:clients", "--inventory", str(INVENTORY), "--tree", str(tmp_path)]
    subprocess.run(
        [*look, "--module-name", "closet.inference.host_facts"],
        check=True, capture_output=True, cwd=ROOT, timeout=120,
        env=PLAIN,
    )  # fmt: skip
    for mac in macs:
        seen = json.loads((tmp_path / mac.name).read_text())
        assert seen["errors"] == []
        assert seen["macos"] == mac.read("sw_vers -productVersion")
        assert seen["model"] == mac.read("sysctl -n hw.model")
        assert seen["memory_mb"] == int(mac.read("sysctl -n hw.memsize")) >> 20
        assert seen["wired_limit_mb"] == int(mac.read("sysctl -n iogpu.wired_limit_mb"))
        assert [seen["user"], seen["address"]] == ["admin", mac.address]

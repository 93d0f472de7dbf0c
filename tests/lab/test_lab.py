"""The lab itself: Macs by every fact, nothing left behind, clear words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host, state
from tests.lab.conftest import HOSTS, ROOT, lab, on, run

pytestmark = pytest.mark.usefixtures("fresh_lab")

MACS = {
    "attic": ("26.5.1", "Mac16,9", 128),
    "air": ("26.5.1", "Mac16,12", 16),
    "pro": ("15.6", "Mac16,1", 24),
    "book": ("26.5.1", "Mac14,2", 16),
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What plain `ansible -m setup` gathers, by host."""
    folder = tmp_path_factory.mktemp("facts")
    done = run("ansible", "all", "-m", "setup", "--tree", str(folder))
    assert done.code == 0, done.output
    return {name: json.loads((folder / name).read_text())["ansible_facts"] for name in HOSTS}


@pytest.mark.parametrize("name", HOSTS)
def test_ansible_sees_a_mac(name: str, facts: dict[str, dict[str, object]]) -> None:
    macos, model, memory_gb = MACS[name]
    seen = facts[name]
    assert seen["ansible_system"] == "Darwin"
    assert seen["ansible_distribution"] == "MacOSX"
    assert seen["ansible_distribution_version"] == macos
    assert seen["ansible_model"] == model
    assert seen["ansible_memtotal_mb"] == memory_gb * 1024
    assert seen["ansible_architecture"] == "arm64"
    assert seen["ansible_service_mgr"] == "launchd"
    assert seen["ansible_pkg_mgr"] == "homebrew"


def test_the_macs_python_is_the_one_that_macos_ships_or_what_there_is() -> None:
    version = on("attic", "/usr/bin/python3 -V").output.split()[1]
    from lab.image import mac_python

    assert version.startswith("3.9.") == mac_python().endswith("(3.9)")


def test_the_admin_has_sudo_without_a_password_and_root_may_not_log_in() -> None:
    assert on("attic", "sudo -n id -u").output.strip() == "0"
    assert on("attic", "sudo visudo -c").code == 0
    refused = run(
        *("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
        *("-o", "UserKnownHostsFile=/dev/null", "-i", "/var/lib/closet-lab/ssh/id_ed25519"),
        *("root@10.77.31.10", "true"),
    )
    assert refused.code == 255


def test_a_mac_does_not_read_sysctl_conf_at_boot() -> None:
    on("book", "echo iogpu.wired_limit_mb=11111 | sudo tee /etc/sysctl.conf")
    lab("reboot", "book")
    assert on("book", "sysctl -n iogpu.wired_limit_mb").output.strip() == "0"


def test_a_live_value_is_gone_after_a_power_cut_and_a_file_is_not() -> None:
    on(
        "book",
        "sudo sysctl iogpu.wired_limit_mb=12345; echo kept | sudo tee /Users/Shared.txt; sync",
    )
    lab("power-cut", "book")
    assert on("book", "sysctl -n iogpu.wired_limit_mb; cat /Users/Shared.txt").output.split() == [
        "0",
        "kept",
    ]


def test_a_mac_without_power_is_off_until_it_is_switched_on() -> None:
    lab("power-cut", "book", "--off")
    assert "book" in lab("status").output
    assert on("book", "true").code == 255
    assert "Switched on: book." in lab("up").output
    assert on("book", "true").code == 0


def test_a_lab_that_ended_with_the_machine_it_ran_on_starts_anew() -> None:
    running = state.load()
    assert running is not None
    for process in [*running.machines.values(), running.hub]:
        assert process is not None
        host.cut_power(process)
    assert "starting anew" in lab("up").output
    assert on("attic", "true").code == 0


def test_the_checkout_and_the_homes_of_this_machine_are_not_visible_on_a_mac() -> None:
    hidden = f"{ROOT} /root /home /var/lib/closet-lab"
    assert on("attic", f"sudo find {hidden} -mindepth 1 2>/dev/null").output == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("reboot", "atic"), "there is no Mac called atic; there are attic, air, pro, book"),
        (("up", "--inventory", "/nowhere"), "/nowhere/hosts.yml: cannot be read"),
        (("shell", "atic"), "there is no Mac called atic"),
    ],
)
def test_a_mistake_is_answered_in_words(words: tuple[str, ...], sentence: str) -> None:
    done = run(sys.executable, "-m", "lab", *words)
    assert done.code == 1
    assert sentence in done.output


def test_a_saved_lan_comes_back_as_it_was(tmp_path: Path) -> None:
    """With its owners and modes, what it hides of this machine, its keys, and the controller's."""
    saved, mark = tmp_path / "saved", "/Users/admin/kept"
    host_key = "/etc/ssh/ssh_host_ed25519_key.pub"
    before = on("attic", f"sudo touch {mark} && sudo chmod 604 {mark}; cat {host_key}").output
    secrets = ROOT / "inventories/lab/.secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    (secrets / "kept").write_text("a key")
    lab("save", str(saved))
    assert run(sys.executable, "-m", "lab", "shell", "attic", "true").code != 0
    refused = run(sys.executable, "-m", "lab", "save", str(saved))
    assert f"{saved} exists" in refused.output
    lab("down")
    (secrets / "kept").unlink()

    other = str(ROOT / "tests/lab/inventories/two")
    refused = run(sys.executable, "-m", "lab", "up", "--inventory", other, "--saved", str(saved))
    assert "was saved from a LAN with other machines" in refused.output
    lab("up", "--saved", str(saved))
    there = f"stat -c '%a %U' {mark}; cat {host_key}; ls /etc/os-release"
    assert on("attic", there).output.startswith(f"604 root\n{before}ls: ")
    assert on("attic", f"sudo rm {mark}").code == 0
    assert (saved / f"hosts/attic/upper/{mark}").exists()
    assert (secrets / "kept").read_text() == "a key"
    (secrets / "kept").unlink()


@pytest.fixture
def neighbour() -> Iterator[str]:
    """A network namespace of somebody else on this machine."""
    name = f"not-ours-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def test_nothing_is_left_after_down_and_the_neighbours_are_untouched(neighbour: str) -> None:
    lab("down")
    assert not Path("/var/lib/closet-lab").exists()
    assert "closetlab" not in run("ip", "link").output
    spaces = run("ip", "netns", "list").output
    assert "closetlab" not in spaces
    assert neighbour in spaces
    assert "closet-lab" not in Path("/proc/mounts").read_text()
    assert "/var/lib/closet-lab" not in run("ps", "-eo", "args").output
    assert run(sys.executable, "-m", "lab", "status").code == 3

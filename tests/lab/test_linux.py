"""A laptop with Debian beside the closet: the same roles, the same questions, no Mac's face."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import as_root, install_programs, lab, on, provisioned, run, site
from tests.lab.test_site import disk

INVENTORY = Path(__file__).parent / "inventories" / "linux"
HERE = ("-i", str(INVENTORY))
HOSTS = ("attic", "tux")
OPENCODE = "/opt/closet/opencode/1.18.33/node_modules/opencode-linux-x64/bin/opencode"


@pytest.fixture(scope="module", autouse=True)
def linux_lab() -> Iterator[None]:
    """A closet that may serve the LAN, and a Linux laptop that nobody has provisioned yet."""
    lab("down")
    shutil.rmtree(INVENTORY / ".secrets", ignore_errors=True)
    lab("up", "--inventory", str(INVENTORY), limit_s=600)
    consent = ("playbooks/expose.yml", "-e", "scope=lan", "-e", "confirm=attic")
    done = run("ansible-playbook", *HERE, *consent)
    assert done.code == 0, done.output
    install_programs("attic", "attic")
    yield
    lab("down")


def refused(*words: str) -> str:
    """Run site.yml, which has to refuse and to leave every disk as it was; its words in a line."""
    before = {host: disk(host) for host in HOSTS}
    done = site(*words)
    assert done.code != 0
    assert {host: disk(host) for host in HOSTS} == before
    text = " ".join(done.output.split())
    assert "Nothing was changed." in text
    return text


def test_it_is_a_debian_and_not_a_mac() -> None:
    said = on("tux", "uname -s; id -Gn; cat /proc/1/comm; ls -d /Users /Library 2>/dev/null; pwd")
    assert said.output.split() == ["Linux", "admin", "sudo", "python3", "/home/admin"]


def test_a_linux_machine_is_refused_as_a_closet(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(INVENTORY, home, ignore=shutil.ignore_patterns(".secrets"))
    document = yaml.safe_load((home / "hosts.yml").read_text())
    groups = document["all"]["children"]
    groups["closet"]["hosts"], groups["clients"]["hosts"] = groups["clients"]["hosts"], {}
    (home / "hosts.yml").write_text(yaml.safe_dump(document))
    text = refused("-i", str(home))
    assert "tux runs Debian GNU/Linux" in text
    assert "a closet is a Mac with Apple Silicon" in text
    assert "no Command Line Tools" not in text


UNFIT = {
    "another Linux": (
        "printf 'ID=fedora\\nPRETTY_NAME=\"Fedora Linux 43\"\\n' >/etc/os-release",
        ["tux runs Fedora Linux 43, and a laptop has macOS, Debian or Ubuntu"],
    ),
    "no sudo": (
        "chmod -x /usr/bin/sudo",
        ["tux has no sudo: as root on it, run `apt-get install sudo`"],
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_laptop_that_is_unfit_stops_the_run_before_the_closet_changes(case: str) -> None:
    spoil, sentences = UNFIT[case]
    files = "/usr/lib/os-release /usr/bin/sudo"
    as_root("tux", f"tar -cpf /run/kept.tar {files}")
    as_root("tux", spoil)
    text = refused(*HERE)
    as_root("tux", "tar -xpf /run/kept.tar -C /")
    for sentence in sentences:
        assert sentence in text


def test_a_check_of_an_untouched_laptop_completes_and_changes_nothing() -> None:
    before = disk("tux")
    done = provisioned(site(*HERE, "--check", "--diff"))
    assert done.changed()["tux"] > 0
    assert "/etc/opencode/opencode.json" in done.output
    assert disk("tux") == before


def test_the_first_run_provisions_it() -> None:
    assert provisioned(site(*HERE)).changed()["tux"] > 0
    assert on("tux", f"{OPENCODE} --version; opencode --version").output.split() == ["1.18.33"] * 2
    owned = "stat -c '%a %U %G' /etc/opencode /etc/opencode/opencode.json ~/.config/closet/key"
    assert on("tux", owned).output.splitlines()[:3] == [
        "755 root root",
        "644 root root",
        "600 admin admin",
    ]
    assert on("tux", "ls -d /Library 2>/dev/null").output == ""


def test_the_second_run_changes_nothing() -> None:
    assert provisioned(site(*HERE)).changed()["tux"] == 0


@pytest.mark.parametrize(
    "shell", ["bash -ic", "zsh -c", "zsh -ic"], ids=["bash", "zsh-command", "zsh"]
)
def test_shells_know_the_closet(shell: str) -> None:
    said = on("tux", f"{shell} 'echo $CLOSET_URL $OPENCODE_DISABLE_MODELS_FETCH' 2>/dev/null")
    assert said.output.split()[:2] == ["http://attic.local:8000/v1", "1"]


def test_a_shell_that_reads_no_file_of_ours_has_closet_as_a_program() -> None:
    """As tcsh and others do."""
    clean = "env -i HOME=$HOME PATH=/usr/local/bin:/usr/bin:/bin dash -c"
    done = on("tux", f"{clean} 'closet url; closet health'")
    assert done.code == 0, done.output
    assert done.output.splitlines()[0] == "http://attic.local:8000/v1"
    owned = on("tux", "stat -c '%U %a' /usr/local/bin/closet /opt/closet/opencode/confirmed")
    assert owned.output.split() == ["root", "755", "root", "644"]


def test_opencode_lists_the_closet_and_no_other_provider() -> None:
    done = on("tux", "OPENAI_API_KEY=sk-none timeout 90 opencode models", limit_s=120)
    assert done.code == 0, done.output
    assert set(done.output.split()) == {"closet/qwen3-coder-next"}


def test_after_a_reboot_and_a_power_cut_it_asks_the_closet() -> None:
    lab("reboot", "tux")
    lab("power-cut", "tux")
    done = on("tux", "timeout 150 opencode run 'Who are you?'", limit_s=180)
    assert done.code == 0, done.output
    assert "I am qwen3-coder-next" in done.output

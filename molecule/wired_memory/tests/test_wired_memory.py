"""The GPU may wire most of the memory: now, after a boot, and again by hand."""

from __future__ import annotations

import re

import pytest
from lab_mac import Entry, Job, Mac, eventually

JOB = Job("inference.closet.wired-memory", "/var/log/closet/wired-memory.log")
FILES = {
    "/etc/sysctl.conf": Entry("file", "root", "wheel", "0644"),
    "/etc/sudoers.d/closet-wired-memory": Entry("file", "root", "wheel", "0440"),
    f"/Library/LaunchDaemons/{JOB.label}.plist": Entry("file", "root", "wheel", "0644"),
    "/var/log/closet": Entry("folder", "root", "wheel", "0755"),
}


@pytest.fixture(scope="module")
def setting(closet: Mac) -> str:
    """The word that sysctl gets, from the one file that people read."""
    return closet.read("grep '^iogpu.wired_limit_mb' /etc/sysctl.conf")


def live(closet: Mac) -> str:
    return "iogpu.wired_limit_mb=" + closet.read("sysctl -n iogpu.wired_limit_mb")


def test_files_belong_to_root_and_nobody_else_writes_them(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_the_limit_is_live_and_leaves_the_system_some_memory(closet: Mac, setting: str) -> None:
    assert live(closet) == setting
    memory_mb = int(closet.read("sysctl -n hw.memsize")) >> 20
    assert 0.75 * memory_mb < int(setting.partition("=")[2]) < memory_mb - 4096


def test_the_job_has_run_well_with_this_limit(closet: Mac, setting: str) -> None:
    state = closet.job(JOB.label)
    assert re.search(r"^\tlast exit code = 0$", state, re.MULTILINE)
    assert f"\t\t{setting}\n" in state
    assert "runatload" in state


def test_the_job_that_runs_at_boot_brings_the_limit_back(closet: Mac, setting: str) -> None:
    try:
        closet.read("sysctl iogpu.wired_limit_mb=0", root=True)
        assert live(closet) != setting
        closet.read(f"launchctl kickstart system/{JOB.label}", root=True)
        # launchd lets ten seconds pass between two runs of a job
        assert eventually(lambda: live(closet) == setting, limit_s=15)
    finally:
        closet.read(f"sysctl {setting}", root=True)


def test_sudo_lets_the_account_set_exactly_this_limit(closet: Mac, setting: str) -> None:
    closet.read("visudo -c", root=True)
    allowed = closet.read("sudo -n -l").replace("\\", "")
    assert f"(root) NOPASSWD: /usr/sbin/sysctl {setting}\n" in f"{allowed}\n"

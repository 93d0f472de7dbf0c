"""The application firewall knows the program that really runs; pf keeps the port for the LAN."""

from __future__ import annotations

import json
import re

from lab_mac import Entry, Job, Mac, eventually

JOB = Job("inference.closet.packet-filter", "/var/log/closet/packet-filter.log")
RECORD = "/opt/closet/firewall/applications.json"
PROGRAM = "/opt/closet/bin/closet-packet-filter"
ANCHOR = "com.apple/250.closet"
FILES = {
    RECORD: Entry("file", "root", "wheel", "0644"),
    "/opt/closet/firewall/packets.conf": Entry("file", "root", "wheel", "0644"),
    PROGRAM: Entry("file", "root", "wheel", "0755"),
    f"/Library/LaunchDaemons/{JOB.label}.plist": Entry("file", "root", "wheel", "0644"),
}
RULE = "block drop in quick on ! lo0 proto tcp from ! <closet_networks> to any port = 8000"


def rules(closet: Mac) -> str:
    return closet.read(f"pfctl -a {ANCHOR} -s rules 2>/dev/null", root=True)


def test_files_belong_to_root_and_nobody_else_writes_them(closet: Mac) -> None:
    assert closet.entries(*FILES) == FILES


def test_the_program_that_really_runs_is_let_through(closet: Mac) -> None:
    (allowed,) = json.loads(closet.read(f"cat {RECORD}"))["added"]
    environment = closet.read("ls -d /opt/closet/omlx/*/bin/python").splitlines()
    assert allowed in [closet.read(f"readlink -f {python}") for python in environment]
    listed = closet.read("/usr/libexec/ApplicationFirewall/socketfilterfw --listapps")
    assert re.search(rf": {re.escape(allowed)} *\n +\(Allow incoming connections\)", listed)


def test_pf_is_on_and_keeps_the_port(closet: Mac) -> None:
    assert rules(closet) == RULE
    assert closet.read("pfctl -s info 2>/dev/null", root=True).startswith("Status: Enabled")
    closet.read(f"{PROGRAM} check", root=True)


def test_the_job_has_run_well(closet: Mac) -> None:
    assert re.search(r"^\tlast exit code = 0$", closet.job(JOB.label), re.MULTILINE)


def test_the_job_that_runs_at_boot_brings_the_rules_back(closet: Mac) -> None:
    closet.read(f"{PROGRAM} off", root=True)
    assert rules(closet) == ""
    closet.read(f"launchctl kickstart system/{JOB.label}", root=True)
    # launchd lets ten seconds pass between two runs of a job
    assert eventually(lambda: rules(closet) == RULE, limit_s=15)

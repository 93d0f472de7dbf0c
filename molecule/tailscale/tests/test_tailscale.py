"""Both Macs are nodes, the daemon is launchd's, and the laptop sees the closet."""

from __future__ import annotations

import json
import re
from typing import Any

from lab_mac import Entry, Job, Mac, eventually

JOB = Job("inference.closet.tailscaled", "/var/log/closet/tailscale/tailscaled.log")
FILES = {
    f"/Library/LaunchDaemons/{JOB.label}.plist": Entry("file", "root", "wheel", "0644"),
    "/opt/closet/bin/closet-tailscaled": Entry("file", "root", "wheel", "0755"),
    "/Library/Tailscale": Entry("folder", "root", "wheel", "0700"),
    "/Library/Tailscale/tailscaled.state": Entry("file", "root", "wheel", "0600"),
    "/var/log/closet/tailscale": Entry("folder", "root", "wheel", "0750"),
}


def status(mac: Mac) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(mac.read("/usr/local/bin/tailscale status --json", root=True))
    return told


def test_files_are_whose_they_should_be(closet: Mac, laptop: Mac) -> None:
    for mac in (closet, laptop):
        assert mac.entries(*FILES) == FILES


def test_launchd_runs_it_from_programs_of_root(closet: Mac) -> None:
    found = re.search(r"^\tpid = (\d+)$", closet.job(JOB.label), re.MULTILINE)
    assert found, "launchd runs no process for it"
    program = closet.read(f"ps -o command= -p {found[1]}").split()[0]
    assert re.fullmatch(r"/opt/closet/tailscale/[\d.]+/bin/tailscaled", program)
    folder = program.rpartition("/bin/")[0]
    writable = f"find {folder} ! -type l \\( ! -user root -o -perm /022 \\)"
    assert closet.read(writable, root=True) == ""


def test_both_run_under_their_own_names_and_tags(closet: Mac, laptop: Mac) -> None:
    for mac, tag in ((closet, "tag:closet"), (laptop, "tag:closet-client")):
        told = status(mac)
        assert told["BackendState"] == "Running"
        assert told["Self"]["DNSName"] == f"{mac.name}.tailnet.test."
        assert told["Self"]["Tags"] == [tag]


def test_the_archive_is_gone_and_the_mark_is_there(closet: Mac) -> None:
    listed = closet.read("ls -A /opt/closet/tailscale/*").split()
    assert ".complete" in listed
    assert not [name for name in listed if name.endswith(".tgz")]


def test_the_laptop_sees_the_closet(closet: Mac, laptop: Mac) -> None:
    def seen() -> bool:
        peers = status(laptop).get("Peer") or {}
        return any(peer["DNSName"] == f"{closet.name}.tailnet.test." for peer in peers.values())

    assert eventually(seen, 30)

"""newsyslog takes our file, and what it says really rotates a log and leaves it to its owner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_mac import Entry, Mac

RULES = "/etc/newsyslog.d/closet.conf"
LOG = "/var/log/closet/omlx.launchd.log"


@pytest.fixture
def scratch(closet: Mac) -> Iterator[str]:
    """A folder with the same rule for a log of its own, so that no real log is rotated."""
    folder = closet.read("mktemp -d /private/var/tmp/closet-rotation.XXXXXX", root=True)
    closet.read(f"sed 's#{LOG}#{folder}/launchd.log#' {RULES} > {folder}/rules.conf", root=True)
    yield folder
    closet.read(f"rm -r {folder}", root=True)


def test_the_file_belongs_to_root(closet: Mac) -> None:
    assert closet.entries(RULES) == {RULES: Entry("file", "root", "wheel", "0644")}


def test_newsyslog_takes_the_file_and_the_rest_of_the_system_still_rotates(closet: Mac) -> None:
    ours = closet.run(f"newsyslog -nrvf {RULES}")
    assert (ours.rc, ours.stderr) == (0, "")
    assert LOG in ours.stdout
    # one bad line anywhere ends the whole run before anything is rotated
    everything = closet.run("newsyslog -nrv")
    assert (everything.rc, everything.stderr) == (0, "")
    assert LOG in everything.stdout
    assert "/var/log/install.log" in everything.stdout


def test_a_log_that_is_big_enough_is_rotated_and_stays_its_owners(
    closet: Mac, scratch: str
) -> None:
    log, old = f"{scratch}/launchd.log", f"{scratch}/launchd.log.0"
    closet.read(f"dd if=/dev/zero of={log} bs=1048576 count=2", root=True)
    closet.read(f"newsyslog -f {scratch}/rules.conf", root=True)
    owned = Entry("file", "admin", "staff", "0600")
    assert closet.entries(log, old) == {log: owned, old: owned}
    assert int(closet.read(f"wc -c < {log}", root=True)) < 1024


def test_a_small_log_is_left_alone(closet: Mac, scratch: str) -> None:
    log = f"{scratch}/launchd.log"
    closet.read(f"echo small > {log}; newsyslog -f {scratch}/rules.conf", root=True)
    assert closet.read(f"cat {log}; ls {scratch}", root=True) == "small\nlaunchd.log\nrules.conf"


def test_old_logs_do_not_pile_up(closet: Mac, scratch: str) -> None:
    rotate = f"newsyslog -F -f {scratch}/rules.conf"
    closet.read(f"touch {scratch}/launchd.log; " + "; ".join([rotate] * 9), root=True)
    old = {name for name in closet.read(f"ls {scratch}", root=True).split() if ".log." in name}
    # newsyslog numbers them from 0 to the count of its rule
    assert "launchd.log.0" in old
    assert old <= {f"launchd.log.{number}" for number in range(6)}

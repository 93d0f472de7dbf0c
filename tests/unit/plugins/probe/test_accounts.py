# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Account names in other programs' files, read back by those programs' own parsers."""

from __future__ import annotations

import json
import plistlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.closet.inference.plugins.filter.account_numbers import (
    FilterModule,
    newsyslog_log,
    sudoers_user,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import plist_bytes
from ansible_collections.closet.inference.plugins.plugin_utils.daemon import paths
from ansible_collections.closet.inference.plugins.plugin_utils.probe import accounts
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
)
from tests.unit.lab.simulated_mac import STUDIO, SimulatedMac

ROLES = Path(__file__).parents[4] / "roles"
DOMAIN = "CORP\\Domain Users"
JANE = {
    "user": "jane",
    "uid": 502,
    "group": DOMAIN,
    "gid": 20,
    "account": "CORP\\svc closet",
    "account_uid": 1234567,
    "account_group": "CORP\\Domain Users #2",
    "account_gid": 7654321,
}
NAMES = (DOMAIN, "a b", "tab\there", "#x", "ALL", "%admin", "a:b", "o'neil", 'q"uote', "é", "a\nb")


@pytest.mark.parametrize(
    ("owner", "group", "fields"),
    [
        ("jane", DOMAIN, "/var/log/a.log 502:20"),
        ("CORP\\svc closet", "CORP\\Domain Users #2", "/var/log/a.log 1234567:7654321"),
        ("root", "wheel", "/var/log/a.log 0:0"),
        ("root", DOMAIN, "/var/log/a.log 0:20"),
        ("503", "staff", "/var/log/a.log 503:staff"),
        ("dot.ty", "_www", "/var/log/a.log dot.ty:_www"),
    ],
)
def test_newsyslog_gets_numbers(owner: str, group: str, fields: str) -> None:
    log = {"path": "/var/log/a.log", "owner": owner, "group": group}
    assert newsyslog_log(log, JANE) == fields


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ALL", DOMAIN)])
def test_a_name_that_newsyslog_cannot_take_is_refused(name: str) -> None:
    for owner, group in ((name, "wheel"), ("root", name)):
        log = {"path": "/var/log/a.log", "owner": owner, "group": group}
        with pytest.raises(AnsibleFilterError, match="newsyslog cannot express the name"):
            newsyslog_log(log, JANE)


@pytest.mark.parametrize(
    "path", ["/var/log/a b.log", "/var/log/a\n/etc/x", "a.log", "", "/a\x01", "/a" * 500]
)
def test_a_path_that_newsyslog_cannot_take_is_refused(path: str) -> None:
    with pytest.raises(accounts.AccountNameError, match="newsyslog cannot rotate"):
        accounts.newsyslog_fields(path, "root", "wheel", JANE)


def test_a_mac_that_was_not_asked_for_numbers_keeps_plain_names() -> None:
    assert accounts.newsyslog_fields("/a", "admin", "staff", {}) == "/a admin:staff"


def rendered(role: str, template: str, **variables: Any) -> str:
    """A template of a role as Ansible fills it, with our two filters."""
    text = (ROLES / role / "templates" / template).read_text()
    text = text.replace("closet.inference.", "")
    templar = Templar(DataLoader(), variables={"preflight_facts": JANE, **variables})
    templar.environment.filters.update(FilterModule().filters())
    return str(templar.template(trust_as_template(text), escape_backslashes=False))


def test_the_whole_file_is_read_by_newsyslog(tmp_path: Path) -> None:
    names = (("jane", DOMAIN), (JANE["account"], JANE["account_group"]), ("root", "wheel"))
    logs = [
        {"path": f"/var/log/closet/{number}#.log", "owner": owner, "group": group}
        for number, (owner, group) in enumerate(names)
    ]
    text = rendered(
        "log_rotation",
        "newsyslog.conf.j2",
        log_rotation_logs=logs,
        log_rotation_count=5,
        log_rotation_size_kib=1024,
    )
    said = SimulatedMac(tmp_path, STUDIO).said("usr/sbin/newsyslog", "-nrv", "-f", "-", text=text)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [f"{log['path']} <5>: does not exist, skipped." for log in logs]


def test_the_role_works_without_a_look_at_the_mac() -> None:
    text = (ROLES / "log_rotation/templates/newsyslog.conf.j2").read_text()
    variables = {
        "log_rotation_logs": [{"path": "/var/log/x", "owner": "admin", "group": "staff"}],
        "log_rotation_count": 5,
        "log_rotation_size_kib": 1024,
    }
    templar = Templar(DataLoader(), variables=variables)
    templar.environment.filters.update(FilterModule().filters())
    found = templar.template(trust_as_template(text.replace("closet.inference.", "")))
    assert str(found).splitlines()[-1] == "/var/log/x admin:staff 600 5 1024 * N"


def rule_of(text: str) -> Any:
    """What sudo's own parser makes of the rule."""
    cvtsudoers = shutil.which("cvtsudoers")
    if cvtsudoers is None:
        pytest.skip("no cvtsudoers on this machine")
    done = subprocess.run(
        [cvtsudoers, "-f", "json"], input=text, text=True, capture_output=True, check=True
    )
    [spec] = json.loads(done.stdout)["User_Specs"]
    return spec["User_List"]


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("jane", {"userid": 502}),
        (JANE["account"], {"userid": 1234567}),
        ("root", {"userid": 0}),
        ("503", {"userid": 503}),
        *((name, {"username": name}) for name in NAMES if name.isprintable() and name != "ALL"),
        ("dot.ty", {"username": "dot.ty"}),
        ("a,b", {"username": "a,b"}),
        ("x ALL=(ALL) ALL", {"username": "x ALL=(ALL) ALL"}),
    ],
)
def test_sudo_reads_back_who_was_meant(user: str, found: dict[str, Any]) -> None:
    text = rendered(
        "wired_memory", "sudoers.j2", wired_memory_user=user, wired_memory_limit_mb="98304"
    )
    assert rule_of(text) == [found]


@pytest.mark.parametrize("name", ["ALL", "ADMINS", "", "a\nroot ALL=(ALL) ALL", "a\x00"])
def test_a_name_that_sudo_would_take_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match="sudo's rules cannot express the account"):
        sudoers_user(name, JANE)


@pytest.mark.parametrize("name", [DOMAIN, "a & b", "<x>", "é"])
def test_a_plist_holds_any_name(name: str) -> None:
    plist = {"Label": "a", "UserName": name, "GroupName": name}
    assert plistlib.loads(plist_bytes(plist)) == plist


def test_the_look_tells_numbers_and_names_with_spaces() -> None:
    seen = parse(
        f"probe=begin\nuser=jane\ngroup={DOMAIN}\nids=502 20\naccount=1234 CORP\\Domain Users\n"
        "account_gid=5678\nprobe=end\n"
    )
    assert (seen.uid, seen.gid, seen.group) == (502, 20, DOMAIN)
    assert (seen.account_uid, seen.account_gid, seen.account_group) == (1234, 5678, DOMAIN)
    missing = parse("probe=begin\nids=\naccount= \naccount_gid=\nprobe=end\n")
    assert (missing.uid, missing.gid, missing.account_gid) == (None, None, None)


def test_the_log_of_an_account_has_a_path_that_newsyslog_takes() -> None:
    found = paths.paths("omlx", "1", "CORP\\svc closet#1", JANE, companion=False, previous=False)
    assert found["launchd_log"] == "/var/log/closet/omlx-CORP_svc_closet_1.launchd.log"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of root's with hostile values, read back by the programs that root runs with them."""

from __future__ import annotations

import ipaddress
import plistlib
import re
from typing import Any

import pytest
from ansible.errors import AnsibleError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils.launchd.model import plist_bytes
from ansible_collections.closet.inference.plugins.plugin_utils.probe import accounts
from tests.unit.lab.simulated_mac import STUDIO, SimulatedMac
from tests.unit.templates.hostile import FACTS, HOMES, MODEST, accepted
from tests.unit.templates.readers import sudo_rules
from tests.unit.templates.rendering import Role

COMMAND = "/usr/sbin/sysctl iogpu.wired_limit_mb={}"


@pytest.fixture(scope="module")
def mac(tmp_path_factory: pytest.TempPathFactory) -> SimulatedMac:
    return SimulatedMac(tmp_path_factory.mktemp("mac"), STUDIO)


def one_rule(user: str, limit: Any, facts: dict[str, Any]) -> tuple[Any, Any]:
    """Who may run what by the one rule that the file holds, and nothing else in it."""
    text = Role(
        "wired_memory", facts=facts, wired_memory_user=user, wired_memory_limit_mb=limit
    ).text("closet-wired-memory")
    found = sudo_rules(text)
    assert list(found) == ["User_Specs"]
    [spec] = found["User_Specs"]
    assert spec["Host_List"] == [{"hostname": "ALL"}]
    [commands] = spec["Cmnd_Specs"]
    assert commands["runasusers"] == [{"username": "root"}]
    assert commands["Options"] == [{"authenticate": False}]
    return spec["User_List"], commands["Commands"]


@MODEST
@given(accepted("wired_memory_user"), accepted("wired_memory_limit_mb"))
def test_one_sudo_rule_for_the_account_that_was_meant(user: str, limit: Any) -> None:
    try:
        who, what = one_rule(user, limit, {})
    except AnsibleError as error:
        assert "sudo's rules cannot express the account" in str(error)
        return
    assert who == [{"userid": int(user)} if user.isdigit() else {"username": user}]
    assert what == [{"command": COMMAND.format(int(limit))}]


@MODEST
@given(FACTS, st.none() | st.integers(1, 1 << 31))
def test_one_sudo_rule_for_an_account_that_the_probe_told(user: str, uid: int | None) -> None:
    facts = {"user": user, "uid": uid, "account": user, "account_uid": uid}
    try:
        who, what = one_rule(user, 98304, facts)
    except AnsibleError as error:
        assert uid is None and "sudo's rules cannot express the account" in str(error)
        return
    number = int(user) if user.isdigit() else uid
    assert who == [{"username": user} if number is None else {"userid": number}]
    assert what == [{"command": COMMAND.format(98304)}]


LOGS = st.fixed_dictionaries(
    {"path": accepted("tailscale_launchd_log"), "owner": FACTS, "group": FACTS}
)


def rotated(mac: SimulatedMac, text: str) -> list[str]:
    """The paths of the logs that newsyslog finds in a file."""
    said = mac.said("usr/sbin/newsyslog", "-nrv", "-f", "-", text=text)
    assert (said.code, said.err) == (0, ""), said.err + text
    lines = said.out.removesuffix("\n").split("\n")
    ends = [re.fullmatch(r"(.*) <\d+>: does not exist, skipped\.", line) for line in lines]
    assert all(ends), said.out
    return [end[1] for end in ends if end]


@MODEST
@given(
    st.lists(LOGS, min_size=1, max_size=30, unique_by=lambda log: log["path"]),
    st.integers(100, 1 << 31),
    accepted("log_rotation_count"),
    accepted("log_rotation_size_kib"),
)
def test_newsyslog_rotates_these_logs_and_no_other(
    mac: SimulatedMac, logs: list[dict[str, str]], number: int, count: Any, size: Any
) -> None:
    role: dict[str, Any] = {"log_rotation_count": count, "log_rotation_size_kib": size}
    paths = []
    good = []
    for log in logs:
        facts = {"user": log["owner"], "uid": number, "group": log["group"], "gid": number}
        try:
            accounts.newsyslog_fields(log["path"], log["owner"], log["group"], facts)
        except accounts.AccountNameError as error:
            assert "newsyslog cannot rotate" in str(error)
            continue
        # the numbers of this log stand for those of the host's two accounts
        good.append({**log, "owner": str(number), "group": str(number)})
        paths.append(log["path"])
    if good:
        text = Role("log_rotation", log_rotation_logs=good, **role).text("closet.conf")
        assert rotated(mac, text) == paths


@MODEST
@given(accepted("tailscale_launchd_log"), accepted("tailscale_log_count"))
def test_newsyslog_rotates_the_log_of_tailscaled(mac: SimulatedMac, log: str, count: Any) -> None:
    role = Role("tailscale", tailscale_launchd_log=log, tailscale_log_count=count)
    text = role.text("closet-tailscale.conf")
    assert rotated(mac, text) == [log]


@MODEST
@given(st.lists(accepted("firewall_networks"), min_size=1, max_size=5), accepted("firewall_port"))
def test_pf_lets_these_networks_in_and_no_other(
    mac: SimulatedMac, networks: list[str], port: Any
) -> None:
    role = Role("firewall", firewall_networks=networks, firewall_port=port)
    (mac.root / "etc/rules").write_text(role.text("packets.conf"))
    loaded = mac.said("usr/sbin/pfctl", "-a", "com.apple/250.closet", "-f", "/etc/rules")
    assert loaded.code == 0, loaded.err
    shown = mac.said("usr/sbin/pfctl", "-a", "com.apple/250.closet", "-s", "rules").out
    assert shown == (
        "block drop in quick on ! lo0 proto tcp from ! <closet_networks> to any "
        f"port = {int(port)}\n"
    )
    [table] = re.findall(
        r"^table <closet_networks> const \{ (.*) \}$", role.text("packets.conf"), re.M
    )
    found = [ipaddress.ip_network(word, strict=False) for word in table.split(", ")]
    assert found == [ipaddress.ip_network(word, strict=False) for word in networks]
    # pf.conf(5) knows no other way to say how many bits count
    assert all(re.fullmatch(r"[0-9a-fA-F:.]+/[0-9]{1,3}", word) for word in table.split(", "))


PLISTS = {
    "omlx": "omlx_base_path",
    "mlx_lm": "mlx_lm_model_dir",
    "ollama": "ollama_base_path",
}


def strings(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *(text for one in value.values() for text in strings(one))]
    return [text for one in value for text in strings(one)] if isinstance(value, list) else [value]


@MODEST
@given(
    st.sampled_from(sorted(PLISTS)),
    FACTS,
    FACTS,
    HOMES,
    st.data(),
    accepted("omlx_port"),
)
def test_a_plist_holds_what_was_meant_and_no_other_key(
    backend: str, user: str, group: str, home: str, data: st.DataObject, port: Any
) -> None:
    facts = {"account": user, "account_group": group, "account_home": home}
    plain = {"account": "svc", "account_group": "staff", "account_home": "/Users/svc"}
    behind = {} if backend == "omlx" else {"behind": backend}
    folder = data.draw(HOMES | accepted(PLISTS[backend]))
    given = {PLISTS[backend]: folder, f"{backend}_port": port}
    name = "gateway" if behind else backend
    jobs = Role(name, facts=facts, **behind, **given).jobs()
    usual = Role(name, facts=plain, **behind).jobs()
    for label, plist in jobs.items():
        found = plistlib.loads(plist_bytes(plist))
        assert found == plist
        assert (found["UserName"], found["GroupName"]) == (user, group)
        assert found["WorkingDirectory"] in (folder, f"{home}/.closet-gateway")
        assert set(strings(found)) - set(strings(usual[label])) >= {user, group} - {"svc", "staff"}
        assert found.keys() == usual[label].keys()
        assert (
            found.get("EnvironmentVariables", {}).keys()
            == usual[label].get("EnvironmentVariables", {}).keys()
        )
        assert len(found["ProgramArguments"]) == len(usual[label]["ProgramArguments"])


@MODEST
@given(FACTS, accepted("models_store"), accepted("models_share_port"))
def test_the_job_that_shares_the_models(user: str, store: str, port: Any) -> None:
    share: dict[str, Any] = {"models_share_address": "10.0.0.1", "models_share_port": port}
    [plist] = Role("models", facts={"account": user}, models_store=store, **share).jobs().values()
    found = plistlib.loads(plist_bytes(plist))
    assert found["ProgramArguments"][3:] == [store, "10.0.0.1", str(int(port))]
    assert (found["UserName"], found["WorkingDirectory"]) == (user, store)


@MODEST
@given(accepted("wired_memory_limit_mb"))
def test_one_number_everywhere_for_the_wired_memory(limit: Any) -> None:
    role = Role("wired_memory", wired_memory_limit_mb=limit)
    assert role.files("sysctl.conf")["/etc/sysctl.conf"]["line"] == (
        f"iogpu.wired_limit_mb={int(limit)}"
    )
    [plist] = role.jobs().values()
    assert " ".join(plist["ProgramArguments"]) == COMMAND.format(int(limit))

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tailscale_node against a node that answers as the recorded ones did: what it asks, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.tailscale.model import NodeError
from ansible_collections.closet.inference.plugins.module_utils.tailscale.run import execute
from tests.unit.plugins.tailscale.node_double import Node, fixture

HOME = "https://control.test:8443"
KEY = "hskey-auth-0123456789ab-SECRETSECRETSECRET"
DOOR = {"port": 8000, "to": "127.0.0.1:8000", "protocol": "tcp"}


def given(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "state": "present",
        "variant": "tailscaled",
        "program": "/opt/closet/tailscale/1/bin/tailscale",
        "socket": "/var/run/tailscaled.socket",
        "login_server": HOME,
        "auth_key": "",
        "tags": [],
        "hostname": "attic",
        "accept_dns": True,
        "serve_record": str(tmp_path / "serve.json"),
        "timeout_s": 5.0,
        **changes,
    }


def test_a_fresh_node_logs_in_with_a_key_that_nobody_sees(tmp_path: Path) -> None:
    node = Node("fresh")
    result, warnings = execute(given(tmp_path, auth_key=KEY, accept_routes=True), node)
    assert result["changed"]
    assert result["backend_state"] == "Running"
    assert result["dns_name"] == "attic.tailnet.test"
    assert warnings == []
    assert node.changes == [
        [
            "up",
            "--auth-key=file:/dev/stdin",
            "--timeout=5s",
            f"--login-server={HOME}",
            "--hostname=attic",
            "--accept-routes=true",
        ]
    ]
    assert node.keys == [KEY]
    assert KEY not in str(result) + str(node.asked)
    assert node.asked_server == [f"{HOME}/key?v=1"]


def test_a_second_run_needs_no_key_and_only_looks(tmp_path: Path) -> None:
    node = Node("fresh")
    words = given(tmp_path, auth_key=KEY, serve=[DOOR])
    execute(words, node)
    node.asked.clear()
    result, _warnings = execute({**words, "auth_key": ""}, node)
    assert not result["changed"]
    assert result["diff"]["before"] == result["diff"]["after"] == ""
    assert node.changes == []
    assert len(node.asked) == 3


def test_a_check_says_the_same_steps_and_takes_none(tmp_path: Path) -> None:
    node, other = Node("fresh"), Node("fresh")
    words = given(tmp_path, auth_key=KEY, serve=[DOOR])
    told, _warnings = execute(words, node, check_mode=True)
    assert node.changes == []
    done, _warnings = execute(words, other)
    assert told["changed"]
    assert told["backend_state"] == done["backend_state"] == "Running"
    assert told["addresses"] == []
    assert f"server: {HOME}" in told["diff"]["after"]
    assert "serve: tcp 8000 -> 127.0.0.1:8000" in told["diff"]["after"]
    assert [step for step in told["steps"] if step in done["steps"]] == done["steps"]


def test_each_preference_that_differs_is_set_by_itself(tmp_path: Path) -> None:
    node = Node("running")
    node.prefs.update({"CorpDNS": False, "ShieldsUp": True, "RunWebClient": True})
    result, _warnings = execute(given(tmp_path, shields_up=False, ssh=False), node)
    assert node.changes == [["set", "--accept-dns=true"], ["set", "--shields-up=false"]]
    assert result["diff"]["before"] == "accept_dns: false\nshields_up: true\n"
    assert result["diff"]["after"] == "accept_dns: true\nshields_up: false\n"
    assert node.prefs["RunWebClient"] is True


def test_a_preference_that_is_not_given_is_left_alone(tmp_path: Path) -> None:
    node = Node("running")
    node.prefs["ShieldsUp"] = True
    result, _warnings = execute(given(tmp_path), node)
    assert not result["changed"]


def test_what_does_not_take_is_an_error(tmp_path: Path) -> None:
    node = Node("running")
    node.prefs["CorpDNS"] = False
    node.ignores_set = True
    with pytest.raises(NodeError, match="these differences remain: set accept_dns to true"):
        execute(given(tmp_path), node)


def test_a_node_whose_key_has_ended(tmp_path: Path) -> None:
    node = Node("expired")
    with pytest.raises(NodeError, match="has ended, or the control server has removed"):
        execute(given(tmp_path), node)
    assert node.changes == []
    result, _warnings = execute(given(tmp_path, auth_key=KEY), node)
    assert result["backend_state"] == "Running"
    assert "--force-reauth" in node.changes[0]


def test_a_node_that_its_server_does_not_see_is_said(tmp_path: Path) -> None:
    node = Node("running")
    node.status["Self"]["Online"] = False
    result, warnings = execute(given(tmp_path), node)
    assert not result["changed"]
    assert "the node was removed there" in warnings[0]
    execute(given(tmp_path, auth_key=KEY, reauthenticate=True), node)
    assert "--force-reauth" in node.changes[0]


def test_one_that_was_switched_off_is_switched_on_without_a_word(tmp_path: Path) -> None:
    node = Node("stopped")
    result, _warnings = execute(given(tmp_path), node)
    assert node.changes == [["up"]]
    assert result["steps"] == ["bring it up"]


def test_another_control_server_has_to_be_asked_for(tmp_path: Path) -> None:
    node = Node("running")
    words = given(tmp_path, login_server="https://other.test", auth_key=KEY)
    with pytest.raises(NodeError, match="tailscale_change_tailnet=true"):
        execute(words, node)
    assert node.changes == []
    result, _warnings = execute({**words, "change_tailnet": True}, node)
    assert [words[0] for words in node.changes] == ["logout", "up"]
    assert result["steps"][:2] == [f"log out of {HOME}", "log in to https://other.test"]


def test_other_tags_have_to_be_asked_for(tmp_path: Path) -> None:
    node = Node("running")
    words = given(tmp_path, tags=["tag:closet"], auth_key=KEY)
    with pytest.raises(NodeError, match="no tags, and tag:closet is wanted"):
        execute(words, node)
    assert node.changes == []
    node.gives_tags = ["tag:closet"]
    result, _warnings = execute({**words, "reauthenticate": True}, node)
    assert result["tags"] == ["tag:closet"]
    assert "--force-reauth" in node.changes[0]


def test_a_key_for_other_tags_is_said(tmp_path: Path) -> None:
    node = Node("fresh")
    node.gives_tags = ["tag:other"]
    with pytest.raises(NodeError, match="gave it tag:other and not tag:closet"):
        execute(given(tmp_path, tags=["tag:closet"], auth_key=KEY), node)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"shields_up": True}, "set shields_up to true"),
        ({"ssh": True}, "set ssh to true"),
        ({"state": "absent"}, "log out of"),
        ({"tags": ["tag:a"], "reauthenticate": True, "auth_key": KEY}, "log in again"),
        ({"serve": [{**DOOR, "port": 22}]}, "serve tcp 22"),
    ],
)
def test_what_would_cut_our_own_connection(
    tmp_path: Path, changes: dict[str, Any], step: str
) -> None:
    node = Node("running")
    node.gives_tags = ["tag:a"]
    words = given(tmp_path, reached_at="100.64.0.1", **changes)
    with pytest.raises(NodeError, match=step):
        execute(words, node)
    assert node.changes == []
    execute({**words, "reached_at": "10.77.31.10"}, Node("running")) if "tags" not in changes else 0
    execute({**words, "may_cut_connection": True}, node)
    assert node.changes != []


@pytest.mark.parametrize(
    ("curl_ends", "sentence"),
    [
        (6, "has no address here"),
        (7, "does not answer"),
        (28, "has not answered within"),
        (60, "a certificate that this host does not trust"),
    ],
)
def test_a_server_that_nobody_can_log_in_to(tmp_path: Path, curl_ends: int, sentence: str) -> None:
    node = Node("fresh")
    node.curl_ends, node.curl_says = curl_ends, "curl: said so"
    with pytest.raises(NodeError, match=f"{sentence}.*curl: said so.*curl -v '{HOME}"):
        execute(given(tmp_path, auth_key=KEY), node)
    assert node.changes == []


def test_a_login_that_fails_leaves_nobody_trying(tmp_path: Path) -> None:
    node = Node("fresh")
    node.up_says = "backend error: something of another kind"
    with pytest.raises(NodeError, match=f"the login to {HOME} failed: .*of another kind"):
        execute(given(tmp_path, auth_key=KEY), node)
    assert node.changes[-1] == ["down"]


def test_a_host_that_failed_to_log_in_is_in_no_tailnet_that_it_would_leave(tmp_path: Path) -> None:
    node = Node("fresh")
    node.up_says = "backend error: invalid key"
    with pytest.raises(NodeError, match=r"the login to https://other\.test failed"):
        execute(given(tmp_path, auth_key=KEY, login_server="https://other.test"), node)
    assert node.prefs["ControlURL"] == "https://other.test"
    with pytest.raises(
        NodeError, match="is not logged in to its tailnet, and there is no auth key"
    ):
        execute(given(tmp_path), node)
    node.up_says = ""
    result, _warnings = execute(given(tmp_path, auth_key=KEY), node)
    assert (result["backend_state"], node.prefs["ControlURL"]) == ("Running", HOME)


def test_a_daemon_that_does_not_answer(tmp_path: Path) -> None:
    node = Node("running")
    node.no_daemon = "failed to connect to local tailscaled; it doesn't appear to be running"
    with pytest.raises(NodeError, match=r"launchctl print system/inference\.closet\.tailscaled"):
        execute(given(tmp_path), node)
    assert node.clock >= 5, "one that has just started gets its time"
    told, warnings = execute(given(tmp_path), node, check_mode=True)
    assert not told["changed"]
    assert "cannot say what a run would change" in warnings[0]
    gone, warnings = execute(given(tmp_path, state="absent"), node)
    assert not gone["changed"]
    assert "stays valid until it is removed" in warnings[0]


def test_a_host_that_never_had_it(tmp_path: Path) -> None:
    node = Node("fresh")
    node.missing = True
    told, _warnings = execute(given(tmp_path, auth_key=KEY), node, check_mode=True)
    assert told["steps"][0] == f"log in to {HOME}"
    gone, warnings = execute(given(tmp_path, state="absent"), node)
    assert (gone["changed"], warnings) == (False, [])
    with pytest.raises(NodeError, match="no tailscaled answers"):
        execute(given(tmp_path, auth_key=KEY), node)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [("NeedsMachineAuth", "waits there for"), ("InUseOtherUser", "another user")],
)
def test_states_in_which_a_person_has_to_act(tmp_path: Path, state: str, sentence: str) -> None:
    node = Node("running")
    node.status["BackendState"] = state
    with pytest.raises(NodeError, match=sentence):
        execute(given(tmp_path, auth_key=KEY), node)
    assert node.changes == []


def test_it_is_logged_out_once(tmp_path: Path) -> None:
    node = Node("running")
    words = given(tmp_path, state="absent")
    assert execute(words, node, check_mode=True)[0]["changed"]
    result, _warnings = execute(words, node)
    assert node.changes == [["logout"]]
    assert result["backend_state"] == "NeedsLogin"
    assert not execute(words, node)[0]["changed"]


def test_serve_takes_away_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    node = Node("running")
    node.served = {"TCP": {"9100": {"TCPForward": "127.0.0.1:3000"}}}
    words = given(tmp_path, serve=[DOOR, {**DOOR, "port": 80, "protocol": "http"}])
    result, _warnings = execute(words, node)
    name = result["dns_name"]
    assert result["serve_urls"] == [f"http://{name}:8000", f"http://{name}"]
    assert result["serve_others"] == ["tcp 9100 -> 127.0.0.1:3000"]
    result, _warnings = execute({**words, "serve": [{**DOOR, "to": "127.0.0.1:8001"}]}, node)
    assert node.served["TCP"] == {
        "9100": {"TCPForward": "127.0.0.1:3000"},
        "8000": {"TCPForward": "127.0.0.1:8001"},
    }
    execute({**words, "serve": []}, node)
    assert list(node.served["TCP"]) == ["9100"]
    assert not (tmp_path / "serve.json").exists()


def test_a_port_of_somebody_else_is_refused(tmp_path: Path) -> None:
    node = Node("running")
    node.served = {"TCP": {"8000": {"TCPForward": "127.0.0.1:3000"}}}
    with pytest.raises(NodeError, match=r"already serves tcp 8000 -> 127\.0\.0\.1:3000"):
        execute(given(tmp_path, serve=[DOOR]), node)
    assert node.changes == []


def test_https_needs_certificates(tmp_path: Path) -> None:
    words = given(tmp_path, serve=[{"port": 443, "to": "127.0.0.1:8000", "protocol": "https"}])
    node = Node("running")
    with pytest.raises(NodeError, match="needs a certificate"):
        execute(words, node)
    node.status["CertDomains"] = ["attic.tailnet.test"]
    result, _warnings = execute(words, node)
    assert result["serve_urls"] == [f"https://{result['dns_name']}"]


def test_an_entry_of_ours_that_is_open_to_the_internet_is_closed(tmp_path: Path) -> None:
    node = Node("running")
    words = given(tmp_path, serve=[DOOR])
    name = execute(words, node)[0]["dns_name"]
    node.served["AllowFunnel"] = {f"{name}:8000": True}
    result, _warnings = execute(words, node, check_mode=True)
    assert result["steps"] == [
        "serve no longer tcp 8000 -> 127.0.0.1:8000 (open to the internet)",
        "serve tcp 8000 -> 127.0.0.1:8000",
    ]


def test_the_app_is_set_and_never_logged_in(tmp_path: Path) -> None:
    node = Node("running")
    node.prefs["CorpDNS"] = False
    words = given(tmp_path, variant="app", program=None, hostname=None)
    result, warnings = execute(words, node)
    assert node.changes == [["set", "--accept-dns=true"]]
    assert (result["person"], warnings) == ("", [])
    out = Node("fresh")
    result, warnings = execute({**words, "auth_key": KEY}, out)
    assert out.changes == []
    assert (
        result["person"] == warnings[0] == f"Tailscale.app is not logged in: log in to {HOME} "
        "from its menu"
    )
    away = Node("running")
    away.missing = True
    assert "install it (App Store" in execute(words, away)[0]["person"]


def test_the_fixtures_are_what_the_double_begins_with() -> None:
    assert fixture("status-running.json")["BackendState"] == "Running"

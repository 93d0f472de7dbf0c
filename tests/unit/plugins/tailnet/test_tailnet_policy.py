"""The policy on its way to a headscale: through Ansible, against a server that answers like one."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.tailnet import push as tailnet_push
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.policy import MARK
from ansible_collections.closet.inference.plugins.plugin_utils.tailnet.push import (
    Answer,
    PushError,
)
from tests.ansible_runs import ansible_playbook

ROOT = Path(__file__).resolve().parents[4]
API_KEY = "hskey-api-notakey-notakey"
# headscale 0.29.2, hscontrol/policy/v2/test.go: RunTests and Errors
NOBODY = (
    'setting policy: test(s) failed:\ntag:closet-client (tcp): source "tag:closet-client" '
    "resolved to no IP addresses"
)
OPEN = "setting policy: test(s) failed:\ntag:a -> tag:b:22 (tcp): expected DENIED, got ALLOWED"


@pytest.mark.parametrize(
    ("answer", "policy"),
    [
        (Answer(200, {"policy": "{}"}), "{}"),
        (Answer(200, {"policy": ""}), ""),
        (
            Answer(500, {"code": 2, "message": "loading ACL from database: acl policy not found"}),
            "",
        ),
    ],
)
def test_what_it_has_now(answer: Answer, policy: str) -> None:
    assert tailnet_push.current(answer, "https://h", "the file") == policy


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(401, "Unauthorized"), "https://h refuses the API key (the file): make another one"),
        (Answer(404, "404 page not found"), "https://h has no /api/v1/policy: is it a headscale"),
        (Answer(502, "<html>bad\ngateway"), "HTTP 502, it said: <html>bad gateway"),
        (
            Answer(500, {"message": "update is disabled for modes other than 'database'"}),
            "https://h reads its policy from a file",
        ),
        (
            Answer(400, {"message": OPEN}),
            "its tests fail: tag:a -> tag:b:22 (tcp): expected DENIED",
        ),
    ],
)
def test_each_refusal_has_its_sentence(answer: Answer, sentence: str) -> None:
    with pytest.raises(PushError) as raised:
        tailnet_push.sent(answer, "https://h", "the file", "f")
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("now", "replaced"),
    [
        ("", True),
        ("{}", True),
        (MARK + '{"grants": []}', True),
        ('{"grants": []}', False),
        ("// mine\n{}", False),
    ],
)
def test_a_policy_of_somebody_s_own_is_not_replaced(now: str, replaced: bool) -> None:
    assert (tailnet_push.error(now, "https://h", "f") is None) == replaced


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        (Answer(500, {"message": NOBODY}), True),
        (
            Answer(500, {"message": f"{NOBODY}\ntag:a -> tag:b:22: expected DENIED, got ALLOWED"}),
            False,
        ),
        (Answer(400, {"message": OPEN}), False),
        (Answer(500, {"message": "test(s) failed"}), False),
        (Answer(200, {}), False),
    ],
)
def test_machines_that_are_not_there_yet(answer: Answer, lacks: bool) -> None:
    assert tailnet_push.lacks_machines(answer) == lacks


class Headscale(HTTPServer):
    """What it has, what it was asked, and whether machines are there; answers as 0.29.2 does."""

    policy = ""
    machines = False
    asked: list[tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Headscale

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_words: Any) -> None:
        """Nothing on the terminal."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or "{}")
        self.server.asked.append((self.command, self.path))
        if self.headers["Authorization"] != f"Bearer {API_KEY}":
            self._say(401, "Unauthorized")
        elif self.command == "GET":
            self._say(200, {"policy": self.server.policy})
        elif '"tests": []' not in body["policy"] and not self.server.machines:
            self._say(500, {"code": 2, "message": NOBODY})
        else:
            if self.command == "PUT":
                self.server.policy = body["policy"]
            self._say(200, {})

    def _say(self, status: int, document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def headscale() -> Iterator[Headscale]:
    server = Headscale(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def house(folder: Path, *lines: str) -> Path:
    """An inventory with one closet and one laptop in a tailnet."""
    home = folder / "home"
    (home / "group_vars").mkdir(parents=True)
    (home / "hosts.yml").write_text(
        "all: {children: {closet: {hosts: {attic: }}, clients: {hosts: {air: }}}}\n"
    )
    text = "\n".join(["closet_tailnet: home.example.net", *lines])
    (home / "group_vars/all.yml").write_text(f"---\n{text}\n")
    return home


def kept(home: Path, *words: str) -> tuple[int, str]:
    code, text = ansible_playbook(
        ROOT, "-i", home, "playbooks/tailnet.yml", "-vvv", *words, http_proxy="http://127.0.0.1:9"
    )
    assert API_KEY not in text
    return code, " ".join(text.split())


def test_it_is_written_for_the_owner_to_apply_and_written_once(tmp_path: Path) -> None:
    home = house(tmp_path)
    file = home / ".closet/tailnet-policy.hujson"
    code, words = kept(home, "--check", "--diff")
    assert (code, file.exists()) == (0, False), words
    assert "tag:closet-client" in words
    code, words = kept(home)
    assert (code, "changed=1" in words) == (0, True), words
    assert file.read_text().startswith(MARK)
    assert f"The policy is in {file}" in words
    assert "https://login.tailscale.com/admin/acls/file" in words
    assert "changed=0" in kept(home)[1]


def test_a_headscale_is_given_it_first_without_then_with_its_tests(
    headscale: Headscale, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{headscale.server_address[1]}"
    home = house(tmp_path, f"closet_tailnet_server: {url}")
    (home / ".secrets").mkdir()
    key = home / ".secrets/tailnet.apikey"
    key.write_text(f"{API_KEY}\n")
    key.chmod(0o644)

    code, words = kept(home, "--check", "--diff")
    assert f"A real run sets the mode of {home}/.secrets from 0755 to 0700" in words
    assert f"every account of this machine could read {key}" in words
    assert stat.S_IMODE(key.stat().st_mode) == 0o644
    assert (code, headscale.policy) == (0, ""), words
    assert ("PUT", "/api/v1/policy") not in headscale.asked
    assert f"{url} would accept the policy without its tests" in words

    code, words = kept(home)
    assert (code, '"tests": []' in headscale.policy) == (0, True), words
    assert "without its tests, since no machine has its tags yet" in words
    assert "changed=0" in kept(home)[1]

    headscale.machines = True
    code, words = kept(home)
    assert (code, "has the policy with its tests" in words) == (0, True), words
    assert headscale.policy == (home / ".closet/tailnet-policy.hujson").read_text()
    assert "changed=0" in kept(home)[1]

    headscale.policy = '{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]}'
    code, words = kept(home)
    assert (code != 0, "it would be lost" in words) == (True, True), words
    assert MARK not in headscale.policy
    assert kept(home, "-e", "replace=true")[0] == 0
    assert headscale.policy.startswith(MARK)

    key.write_text("hskey-api-another\n")
    code, words = kept(home)
    assert (code != 0, f"{url} refuses the API key ({key})" in words) == (True, True), words


def test_a_closet_in_a_tailnet_needs_a_key_for_v1_too(tmp_path: Path) -> None:
    code, words = kept(house(tmp_path, 'closet_api_key: ""'))
    assert (code != 0, "attic: closet_api_key is empty" in words) == (True, True), words


def test_a_house_without_a_tailnet_is_told_so(tmp_path: Path) -> None:
    home = house(tmp_path)
    (home / "group_vars/all.yml").unlink()
    code, words = kept(home)
    assert (code != 0, "No closet of this inventory is in a tailnet" in words) == (True, True)

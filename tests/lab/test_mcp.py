"""MCP servers declared once: real opencode calls their tools, and each other client has them.

The model is the lab's scripted one, since a tiny model of random weights calls no tool: opencode
runs with the lock that the role wrote, except for the address of /v1.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import ROOT, Done, on, provisioned, run

pytestmark = pytest.mark.usefixtures("fresh_lab_with_programs")

TOKEN = "hub-token-0123456789abcdef"
OTHER = "where-token-0123456789abcdef"
LOCK = "/Library/Application Support/opencode/opencode.json"
CODE = "Library/Application Support/Code/User/mcp.json"
BOTH: dict[str, dict[str, Any]] = {
    "greeter": {
        "url": "http://hub.local:8083/mcp",
        "headers": {"Authorization": {"secret": "HUB_TOKEN", "prefix": "Bearer "}},
        "for": ["air", "pro"],
        "on_closet": True,
    },
    "where": {
        "command": "/usr/libexec/closet-lab/mcp-where",
        "env": {"WHERE_TOKEN": {"secret": "WHERE_TOKEN"}},
        "cwd": "/tmp",
        "for": ["air", "pro"],
    },
}
THEIRS = '{\n  // mine\n  "servers": {\n    "mine": {"command": "mine"},\n  },\n}\n'


class House:
    """A copy of the lab's inventory that tests edit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "home"
        ignored = shutil.ignore_patterns(".secrets", ".closet")
        shutil.copytree(ROOT / "inventories/lab", self.folder, ignore=ignored)
        # its paths are relative to the checkout
        closet = self.folder / "group_vars/closet.yml"
        text = closet.read_text().replace("{{ inventory_dir }}/../..", str(ROOT))
        closet.write_text(text)
        secrets = self.folder / ".secrets/mcp"
        secrets.mkdir(mode=0o700, parents=True)
        self.secret(secrets / "HUB_TOKEN", TOKEN)
        self.secret(secrets / "WHERE_TOKEN", OTHER)

    def secret(self, path: Path, value: str) -> None:
        path.touch(mode=0o600)
        path.write_text(f"{value}\n")

    def declare(self, servers: dict[str, Any], clients: tuple[str, ...] = ("opencode",)) -> None:
        said = {"mcp_servers": servers, "mcp_clients": list(clients)}
        (self.folder / "group_vars/all/").mkdir(exist_ok=True)
        old = self.folder / "group_vars/all.yml"
        if old.exists():
            old.rename(self.folder / "group_vars/all/lab.yml")
        (self.folder / "group_vars/all/mcp.yml").write_text(yaml.safe_dump(said))

    def site(self, *words: str) -> Done:
        return run("ansible-playbook", "-i", str(self.folder), "site.yml", *words, limit_s=600)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    made.declare(BOTH, ("opencode", "claude", "vscode"))
    yield made


def mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def ask(laptop: str, words: str) -> str:
    """What real opencode says when the scripted model behind its /v1 is asked."""
    scripted = (
        "mkdir -p ~/scripted && sed 's#http://attic.local:8000/#http://hub.local:8083/#' "
        f"'{LOCK}' > ~/scripted/opencode.json && cd /tmp && "
        "OPENCODE_TEST_MANAGED_CONFIG_DIR=~/scripted "
        f"timeout 100 opencode run '{words}'"
    )
    return on(laptop, scripted, limit_s=120).output


def test_first_run_and_no_secret_anywhere_that_others_can_read(house: House) -> None:
    on("air", f"mkdir -p ~/'{Path(CODE).parent}' && cat > ~/'{CODE}' <<'E'\n{THEIRS}E")
    done = provisioned(house.site("-vvv", "--diff", "--limit", "attic,air,pro"))
    for secret in (TOKEN, OTHER):
        assert secret not in done.output
    for host in ("attic", "air", "pro"):
        found = on(
            host, f"sudo grep -rlsE '{TOKEN}|{OTHER}' /Users /Library /etc /opt/closet /var/log"
        )
        for path in filter(None, found.output.split("\n")):
            assert on(host, f"sudo stat -c %a '{path}'").output.strip() == "600", path
    again = provisioned(house.site("--limit", "attic,air,pro")).changed()
    assert {host: again[host] for host in ("attic", "air", "pro")} == {
        "attic": 0, "air": 0, "pro": 0,
    }  # fmt: skip


@pytest.mark.parametrize("laptop", ["air", "pro"])
def test_opencode_lists_and_calls_the_tools_of_one_declaration(laptop: str) -> None:
    listed = on(laptop, "cd /tmp && timeout 60 opencode mcp list", limit_s=90).output
    assert "greeter" in listed
    assert listed.count("connected") == 2, listed
    said = ask(laptop, f"CALL greeter_greet name={laptop}")
    assert f"the tool said: the hub greets {laptop}, who has token {mark(TOKEN)}" in said
    said = ask(laptop, "CALL where_where")
    assert f"on {laptop} in /tmp with token {mark(OTHER)}" in said


def test_the_other_clients_have_them_beside_what_is_theirs() -> None:
    text = on("air", f"cat ~/'{CODE}'").output
    assert THEIRS.split("  },")[0] in text
    assert '"Authorization": "Bearer ${input:closet-hub-token}"' in text
    claude = json.loads(on("air", "cat ~/.claude.json").output)["mcpServers"]
    assert claude["greeter"]["headers"] == {"Authorization": "Bearer ${HUB_TOKEN}"}
    assert claude["where"]["env"] == {"WHERE_TOKEN": "${WHERE_TOKEN}"}
    fake = "mkdir -p /tmp/bin && printf '#!/bin/sh\\nenv' > /tmp/bin/claude"
    shells = "PATH=/tmp/bin:$PATH zsh -c 'claude; env | sed s/^/outside:/'"
    lines = on("air", f"{fake} && chmod +x /tmp/bin/claude; {shells}").output.split("\n")
    assert f"HUB_TOKEN={TOKEN}" in lines
    assert f"outside:HUB_TOKEN={TOKEN}" not in lines


def test_omlx_took_the_one_that_is_for_the_closet() -> None:
    health = json.loads(on("attic", "curl -s http://127.0.0.1:8000/health").output)
    assert health["mcp"]["servers_total"] == 1
    assert on("attic", "stat -c '%a %U' ~/.omlx/mcp.json").output.strip() == "600 admin"


def test_a_server_that_is_removed_disappears_everywhere(house: House) -> None:
    house.declare({"where": {**BOTH["where"], "for": ["pro"]}}, ("opencode", "claude", "vscode"))
    provisioned(house.site("--limit", "attic,air,pro"))
    assert on("air", f"cat ~/'{CODE}'").output == THEIRS
    assert on("air", "ls ~/.claude.json").code != 0
    assert on("air", f"cat '{LOCK}'").output.count('"mcp"') == 0
    left = "ls ~/.config/closet/secrets; cat ~/.zshenv; ls ~/.config/closet/mcp.sh"
    assert "TOKEN" not in on("air", left).output
    assert on("pro", "ls ~/.config/closet/secrets").output.split() == ["WHERE_TOKEN"]
    assert "greeter" not in ask("pro", "which tools?")
    assert "where_where" in ask("pro", "which tools?")
    assert on("attic", "ls ~/.omlx/mcp.json").code != 0
    health = json.loads(on("attic", "curl -s http://127.0.0.1:8000/health").output)
    assert health["mcp"] is None


def test_what_cannot_work_is_refused_by_name(house: House) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "nothing": {},
        "lost": {"command": "x", "env": {"KEY": {"secret": "HUB_TOKN"}}},
        "typo": {"url": "http://hub.local:8083/mcp", "hedaers": {}},
        "elsewhere": {"command": "x", "for": ["aire"]},
    }
    house.declare(wrong)
    done = house.site()
    text = " ".join(done.output.split())
    assert done.code != 0
    assert "Nothing was changed" in text
    assert "mcp_servers.nothing: it has neither command nor url" in text
    assert "mcp_servers.typo: there is no field hedaers, do you mean headers?" in text
    assert "mcp_servers.lost: there is no secret HUB_TOKN, do you mean HUB_TOKEN?" in text
    assert "mcp_servers.elsewhere: for names aire" in text
    assert sum(done.changed().values()) == 0

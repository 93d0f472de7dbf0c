"""Each client of the laptop knows the server, and the secret is in its own file alone."""

from __future__ import annotations

import json

from lab_mac import Entry, Mac

SECRETS = "~/.config/closet/secrets"
CODE = "~/Library/Application Support/Code/User/mcp.json"
FILES = {
    SECRETS: Entry("folder", "admin", "staff", "0700"),
    f"{SECRETS}/WHERE_TOKEN": Entry("file", "admin", "staff", "0600"),
    "~/.config/closet/merged/claude.json": Entry("file", "admin", "staff", "0600"),
    "~/.config/closet/mcp.sh": Entry("file", "admin", "staff", "0644"),
    "~/.claude.json": Entry("file", "admin", "staff", "0600"),
    CODE: Entry("file", "admin", "staff", "0600"),
}


def test_files_belong_to_the_person(laptop: Mac) -> None:
    assert laptop.entries(*FILES) == FILES


def test_the_secret_is_in_its_file_alone(laptop: Mac) -> None:
    assert laptop.read(f"cat {SECRETS}/WHERE_TOKEN") == "of-the-lab"
    found = laptop.read("grep -rl of-the-lab ~/.config ~/.claude.json ~/Library").split("\n")
    assert [path.rpartition("/")[2] for path in found] == ["WHERE_TOKEN"]


def test_each_client_has_it_in_its_own_words(laptop: Mac) -> None:
    claude = json.loads(laptop.read("cat ~/.claude.json"))["mcpServers"]["where"]
    assert claude["env"] == {"WHERE_TOKEN": "${WHERE_TOKEN}"}
    code = json.loads(laptop.read("cat ~/'Library/Application Support/Code/User/mcp.json'"))
    assert code["servers"]["where"]["env"] == {"WHERE_TOKEN": "${input:closet-where-token}"}
    assert code["inputs"][0]["password"] is True


def test_a_shell_gives_the_secret_to_that_program_alone(laptop: Mac) -> None:
    fake = "mkdir -p /tmp/fake && printf '#!/bin/sh\\nenv' > /tmp/fake/claude"
    shell = "PATH=/tmp/fake:$PATH zsh -c 'claude; echo outside=$WHERE_TOKEN'"
    lines = laptop.read(f"{fake} && chmod +x /tmp/fake/claude && {shell}").split("\n")
    assert "WHERE_TOKEN=of-the-lab" in lines
    assert lines[-1] == "outside="

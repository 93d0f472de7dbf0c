# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every template, and every file that a task writes, is read back somewhere in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.templates.rendering import ROLES, Role

HERE = Path(__file__).parent
# Where the test of a template is, and a word that its test cannot do without.
TEMPLATES = {
    "client_env/aider.json.j2": ("test_data.py", "aider.json"),
    "client_env/closet.j2": ("test_shell_laptop.py", "usr/local/bin/closet"),
    "client_env/continue.yaml.j2": ("test_data.py", "closet.yaml"),
    "client_env/env.sh.j2": ("test_shell_laptop.py", "env.sh"),
    "client_env/llm.yaml.j2": ("test_data.py", "extra-openai-models.yaml"),
    "client_env/vscode.json.j2": ("test_data.py", "chatLanguageModels.json"),
    "client_env/zed.json.j2": ("test_data.py", "zed/settings.json"),
    "firewall/closet-packet-filter.j2": ("test_shell_programs.py", "closet-packet-filter"),
    "firewall/packets.conf.j2": ("test_root_files.py", "packets.conf"),
    "gateway/Caddyfile.j2": ("test_caddyfile.py", "Caddyfile"),
    "gateway/models.json.j2": ("test_caddyfile.py", "listed"),
    "log_rotation/newsyslog.conf.j2": ("test_root_files.py", "closet.conf"),
    "mcp/mcp.sh.j2": ("test_shell_laptop.py", "mcp.sh"),
    "mlx_lm/closet-mlx-lm.j2": ("test_shell_programs.py", "closet-mlx-lm"),
    "omlx/closet-omlx.j2": ("test_shell_programs.py", "closet-omlx"),
    "opencode/config.json.j2": ("test_data.py", "opencode/config.json"),
    "opencode/lock.json.j2": ("test_data.py", "Application Support/opencode/opencode.json"),
    "opencode/opencode.sh.j2": ("test_shell_laptop.py", "bin/opencode"),
    "power/closet-power.j2": ("test_shell_programs.py", "closet-power"),
    "tailscale/closet-tailscaled.j2": ("test_shell_programs.py", "closet-tailscaled"),
    "tailscale/newsyslog.conf.j2": ("test_root_files.py", "closet-tailscale.conf"),
    "wired_memory/sudoers.j2": ("test_root_files.py", "closet-wired-memory"),
}


def test_every_template_has_a_row_and_every_row_a_template() -> None:
    found = [
        f"{path.parent.parent.name}/{path.name}" for path in sorted(ROLES.glob("*/templates/*"))
    ]
    assert found == sorted(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_test_reads_it_back(template: str) -> None:
    file, word = TEMPLATES[template]
    assert word in (HERE / file).read_text()


# Programs and texts of ours, as they lie in roles/*/files, with at most a path of ours before them.
COPIED = ("closet-log", "closet.sh", "closet-omlx-drain", "closet-gateway-drain")
READ_BACK = (
    *("closet-omlx", "closet-mlx-lm", "closet-power", "closet-tailscaled", "closet-packet-filter"),
    *("Caddyfile", "packets.conf", "closet.conf", "closet-tailscale.conf", "closet-wired-memory"),
    *("opencode", "opencode.json", "config.json", "key", "env.sh", "mcp.json", "sysctl.conf"),
    *(".zshenv", ".bashrc", "instructions.md", "closet-gateway", "closet"),
)


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir()))
def test_every_file_with_a_text_is_known(role: str) -> None:
    texts = [
        path.rpartition("/")[2]
        for path, entry in Role(role).files().items()
        if any(entry.get(kind) is not None for kind in ("content", "block", "line"))
    ]
    assert [name for name in texts if name not in (*COPIED, *READ_BACK)] == []

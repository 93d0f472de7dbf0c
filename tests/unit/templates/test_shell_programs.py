# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of root's in sh with hostile values, run: each word arrives, and none is a command."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.templates.hostile import FACTS, HOMES, LINES, MODEST, accepted
from tests.unit.templates.readers import parses, ran, written
from tests.unit.templates.rendering import Role

RULES = "/opt/closet/firewall/packets.conf"


WAIT = (Path(__file__).parents[3] / "roles/_daemon/files/closet_wired_wait.sh").read_text()


@MODEST
@given(accepted("omlx_wired_limit_mb"), st.lists(LINES, max_size=4))
def test_what_waits_for_the_wired_limit_becomes_the_server(
    folder: Path, limit: Any, words: list[str]
) -> None:
    parses(WAIT, folder)
    written(folder, "sysctl", "#!/bin/sh\necho 4294967296\n")
    file = written(folder, "wait", WAIT.replace("/usr/sbin/sysctl", f"{folder}/sysctl"))
    found = ran([str(file), str(int(limit)), f"{folder}/tells", *words], folder)
    said, _line, first_word = "\0".join(found).partition("\n")
    assert said.startswith("closet-wired-wait: ")
    assert f"wired limit 4294967296 MiB, starting {folder}/tells" in said
    assert first_word == "\0".join(words)


def arguments(words: list[str]) -> list[str]:
    """What launchd runs, after closet-log and what waits for the wired limit."""
    assert words[1] == "/opt/closet/bin/closet-log"
    first = words[words.index("--") + 1 :]
    return list(first[2:] if first[0] == "/opt/closet/bin/closet-wired-wait" else first)


@MODEST
@given(
    HOMES | accepted("omlx_base_path"),
    accepted("omlx_wired_limit_mb"),
    accepted("daemon_log_size_kib"),
    accepted("daemon_log_count"),
)
def test_what_starts_omlx(base: str, limit: Any, size: Any, count: Any) -> None:
    role = Role(
        *("omlx",),
        omlx_base_path=base,
        omlx_wired_limit_mb=limit,
        daemon_log_size_kib=size,
        daemon_log_count=count,
    )
    words = role.jobs()["inference.closet.omlx"]["ProgramArguments"]
    assert words[2:11] == [
        "--file=/var/log/closet/omlx-svc/omlx.log",
        *(f"--bytes={int(size) * 1024}", f"--count={int(count)}"),
        "--ends=/var/log/closet/omlx-svc.launchd.log",
        *(f"--twin={base}/logs/server.log", "--"),
        *("/opt/closet/bin/closet-wired-wait", str(int(limit)), arguments(words)[0]),
    ]
    assert arguments(words)[1:] == ["serve", "--base-path", base]


@MODEST
@given(
    accepted("mlx_lm_model") | LINES,
    accepted("mlx_lm_max_tokens"),
    accepted("mlx_lm_server_port"),
)
def test_what_starts_mlx_lm(model: str, tokens: Any, port: Any) -> None:
    role = Role(
        *("gateway",),
        behind="mlx_lm",
        mlx_lm_model=model,
        mlx_lm_max_tokens=tokens,
        mlx_lm_server_port=port,
    )
    job = role.jobs()["inference.closet.mlx-lm"]
    python, *words = arguments(job["ProgramArguments"])
    assert python.endswith("/bin/python")
    assert words == [
        *("/opt/closet/bin/closet-mlx-lm", "--host=127.0.0.1", f"--port={int(port)}"),
        *(f"--model={model}", f"--max-tokens={int(tokens)}", "--prompt-cache-size=10"),
    ]


@MODEST
@given(
    accepted("tailscale_log"),
    accepted("tailscale_launchd_log"),
    st.lists(accepted("tailscale_daemon_flags"), max_size=3),
    accepted("tailscale_port"),
)
def test_what_starts_tailscaled(
    folder: Path, log: str, ends: str, flags: list[str], port: Any
) -> None:
    role = Role(
        *("tailscale",),
        tailscale_log=log,
        tailscale_launchd_log=ends,
        tailscale_daemon_flags=flags,
        tailscale_port=port,
    )
    text = role.text("closet-tailscaled")
    parses(text, folder)
    python = folder / "tools/usr/bin"
    python.mkdir(parents=True, exist_ok=True)
    written(python, "python3", '#!/bin/sh\n[ "$1" = -c ] || exec printf "%s\\0" "$@"\n')
    written(folder, "xcode-select", f"#!/bin/sh\necho {folder}/tools\n")
    program = role.value(role.variables["tailscale_folder"]) + "/bin/tailscaled"
    text = text.replace("/usr/bin/xcode-select", f"{folder}/xcode-select")
    daemon = [
        *(program, "--state=/Library/Tailscale/tailscaled.state"),
        *("--socket=/var/run/tailscaled.socket", f"--port={int(port)}", "--no-logs-no-support"),
        *flags,
    ]
    assert ran([str(written(folder, "tailscaled", text))], folder) == [
        *("/opt/closet/bin/closet-log", "--file", log, "--bytes", str(2048 * 1024)),
        *("--count", "5", "--ends", ends, "--", *daemon),
    ]


@pytest.mark.parametrize("way", ["stop", "lean"])
@MODEST
@given(
    LINES.filter(bool),
    FACTS,
    st.lists(LINES, min_size=1, max_size=3),
    st.lists(accepted("power_keep_models"), max_size=3),
)
def test_what_the_battery_does(
    folder: Path, way: str, label: str, user: str, words: list[str], models: list[str]
) -> None:
    job = {"label": label, "user": user, "drain": ["/opt/closet/bin/drain", *words]}
    text = Role("power", power_on_battery=way, power_jobs=[job], power_keep_models=models).text(
        "closet-power"
    )
    parses(text, folder)
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    written(folder, "pmset", "#!/bin/sh\necho \"Now drawing from 'Battery Power'\"\n")
    notes = folder / "notes"
    notes.write_bytes(b"")
    tells = f"#!/bin/sh\nprintf '%s\\0' \"$@\" >>{notes}\n"
    written(folder, "sudo", tells)
    written(folder, "launchctl", tells)
    mark = folder / "mark"
    mark.unlink(missing_ok=True)
    text = text.replace("PATH=/usr/bin", f"PATH={folder}:/usr/bin")
    text = text.replace("/usr/bin/sudo", f"{folder}/sudo")
    file = written(folder, "power", text.replace("/opt/closet/stopped-on-battery", str(mark)))
    subprocess.run([file], cwd=bare, check=True, stdout=subprocess.DEVNULL)
    assert list(bare.iterdir()) == []
    told = notes.read_text().split("\0")[:-1]
    as_user = ["-n", "-H", "-u", user, "--", "/opt/closet/bin/drain"]
    seen = ["print", f"system/{label}"]
    if way == "stop":
        assert told == [*seen, *as_user, *words, "bootout", f"system/{label}"]
        assert mark.read_text() == f"{label}\n"
    else:
        kept = [word for word in words if not word.startswith("--idle=")]
        keep = [f"--keep={model}" for model in models]
        assert told == [*seen, *as_user, *kept, "--idle=0", "--only-idle", *keep]


def test_what_loads_the_rules_of_pf_parses(folder: Path) -> None:
    text = Role("firewall").text("closet-packet-filter")
    parses(text, folder)
    lines = text.splitlines()
    assert "anchor=com.apple/250.closet" in lines
    assert f"rules={RULES}" in lines
    assert "token=/var/run/inference.closet.packet-filter.token" in lines

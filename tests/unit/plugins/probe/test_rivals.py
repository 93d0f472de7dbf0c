# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's jobs that set what a closet sets: the shell that finds them, and what is told."""

from __future__ import annotations

import plistlib
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import rivals, script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
    plain,
)
from tests.unit.plugins.advice.pasted import paste

SERVING = {"port": 8000, "models": []}
LIMIT = "iogpu.wired_limit_mb=98304"
SYSCTL = ["/usr/sbin/sysctl", LIMIT]
DAEMONS, AGENTS, MINE = "Library/LaunchDaemons", "Library/LaunchAgents", "home/Library/LaunchAgents"


class Stranger:
    """A Mac's folders below `root`, as far as this part of the look reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.switches = ""
        for folder in (DAEMONS, AGENTS, MINE, "etc/newsyslog.d"):
            (root / folder).mkdir(parents=True)

    def job(
        self,
        arguments: list[str],
        name: str = "com.example.x.plist",
        folder: str = DAEMONS,
        form: Any = plistlib.FMT_XML,
        **keys: Any,
    ) -> Path:
        plist = {"Label": "com.example.x", "ProgramArguments": arguments, "RunAtLoad": True, **keys}
        path = self.root / folder / name
        path.write_bytes(plistlib.dumps(plist, fmt=form))
        return path

    def script(self, text: str, name: str = "usr/local/bin/limit") -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def told(self) -> list[str]:
        """What the whole way says, from the shell to the sentence."""
        begin = script.CLOSET.index("mentions=")
        text = script.CLOSET[begin:].replace("PORT", "8000")
        for folder in ("/Library/LaunchDaemons", "/Library/LaunchAgents", "/etc/newsyslog"):
            text = re.sub(rf'(?<![\w"])({folder})', rf"{self.root}\1", text)
        doubles = (
            'say() { printf \'%s=%s\\n\' "$1" "$2"; }\n'
            f"launchctl() {{ [ \"$2\" = system ] && printf '%s' {shlex.quote(self.switches)}; }}\n"
            # the last word of ours is -, as plutil is asked for its standard output
            "plutil() { python3 -c 'import plistlib,sys; sys.stdout.buffer.write(plistlib.dumps("
            'plistlib.load(open(sys.argv[1], "rb"))))\' "$5"; }\n'
        )
        done = subprocess.run(
            ["/bin/sh"],
            input=doubles + text,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.root / "home")},
            text=True,
            capture_output=True,
            check=True,
            timeout=30,
        )
        assert done.stderr == ""
        seen = parse(f"probe=begin\n{done.stdout}probe=end\n")
        assert "rivals" not in plain(seen)
        return rivals.warnings("attic", seen.rivals, 8000)


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


def test_a_mac_without_strangers_says_nothing(stranger: Stranger) -> None:
    stranger.job(["/bin/ls"])
    stranger.job(SYSCTL, "inference.closet.wired-memory.plist", Label="inference.closet.omlx")
    (stranger.root / "etc/newsyslog.conf").write_text("/var/log/ftp.log 640 5 1000 * J\n")
    (stranger.root / "etc/newsyslog.d/closet.conf").write_text(
        "/var/log/closet/omlx.launchd.log 501:20 600 5 1024 * N\n"
    )
    assert stranger.told() == []


@pytest.mark.parametrize(
    "arguments",
    [
        SYSCTL,
        ["/usr/sbin/sysctl", "-w", LIMIT],
        ["/bin/sh", "-c", f"sleep 5; sysctl {LIMIT} >/dev/null"],
        ["/usr/sbin/sysctl", "debug.iogpu.wired_limit=103079215104"],
    ],
)
@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_a_job_that_sets_the_limit_is_named(
    stranger: Stranger, arguments: list[str], form: Any
) -> None:
    path = stranger.job(arguments, form=form)
    [said] = stranger.told()
    assert said.startswith(f"attic: {path} (com.example.x) sets iogpu.wired_limit_mb too")
    assert said.endswith(
        "`sudo launchctl disable system/com.example.x && "
        "sudo launchctl bootout system/com.example.x`"
    )


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_a_script_that_a_job_runs_is_part_of_it(stranger: Stranger, form: Any) -> None:
    script = stranger.script(f"#!/bin/zsh\n# at boot\nsysctl {LIMIT}\n", "usr/local/my limit")
    path = stranger.job(["/bin/zsh", script], "a b.plist", form=form)
    [said] = stranger.told()
    assert f"{path} (com.example.x) sets iogpu.wired_limit_mb too" in said
    assert f"by {script}. " in said


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\n# sysctl iogpu.wired_limit_mb=1\nexit 0\n",
        '#!/bin/sh\n[ "$(sysctl -n iogpu.wired_limit_mb)" = 0 ] && echo no limit\n',
        "#!/bin/sh\npmset -g batt\n",
        "no script at all: sysctl iogpu.wired_limit_mb=1\n",
    ],
)
def test_a_script_that_only_reads_is_no_rival(stranger: Stranger, text: str) -> None:
    stranger.job([stranger.script(text)])
    assert stranger.told() == []


@pytest.mark.parametrize("folder", [AGENTS, MINE])
def test_an_agent_is_turned_off_by_its_person(stranger: Stranger, folder: str) -> None:
    path = stranger.job(["/usr/bin/sudo", *SYSCTL], folder=folder)
    [said] = stranger.told()
    assert str(path) in said
    assert said.endswith(
        ": `launchctl disable gui/$(id -u)/com.example.x && launchctl bootout "
        "gui/$(id -u)/com.example.x`"
    )


@pytest.mark.parametrize(
    ("keys", "switches", "is_told"),
    [
        ({}, "", True),
        ({"RunAtLoad": False}, "", False),
        ({"RunAtLoad": False, "KeepAlive": {"SuccessfulExit": False}}, "", True),
        ({"RunAtLoad": False, "StartInterval": 60}, "", True),
        ({"Disabled": True}, "", False),
        ({"Disabled": True}, '\t\t"com.example.x" => enabled\n', True),
        ({}, '\t\t"com.example.x" => disabled\n\t\t"a" => enabled\n', False),
        ({}, '\t"com.example.x" => true\n', False),
        ({}, '\t"com.example.y" => disabled\n', True),
    ],
)
def test_only_a_job_that_starts_by_itself_is_told(
    stranger: Stranger, keys: dict[str, Any], switches: str, is_told: bool
) -> None:
    stranger.job(SYSCTL, **keys)
    stranger.switches = switches
    assert bool(stranger.told()) == is_told


@pytest.mark.parametrize(
    ("arguments", "keys", "is_told"),
    [
        (["/opt/homebrew/bin/vllm", "serve", "--port", "8000"], {}, True),
        (["/x", "--port=8000"], {}, True),
        (["/x", "-p", "8000"], {}, True),
        (["/x", "--listen", "0.0.0.0:8000"], {}, True),
        (["/bin/sh", "-c", "exec serve --http-port 8000"], {}, True),
        (["/x", "serve"], {"EnvironmentVariables": {"OLLAMA_HOST": "http://0.0.0.0:8000"}}, True),
        (["/x"], {"EnvironmentVariables": {"PORT": "8000"}}, True),
        (["/x"], {"Sockets": {"a": {"SockServiceName": "8000"}}, "RunAtLoad": False}, True),
        (["/x"], {"Sockets": {"a": [{"SockServiceName": 8000}]}}, True),
        (["/opt/homebrew/opt/omlx/bin/omlx", "serve"], {}, True),
        (["/opt/homebrew/opt/omlx/bin/omlx", "serve", "--port", "9000"], {}, False),
        (["/opt/homebrew/opt/omlx/bin/omlx", "--version"], {}, False),
        (["/x", "--port", "18000"], {}, False),
        (["/x", "--port", "80001"], {}, False),
        (["/x", "--count", "8000"], {}, False),
        (["/usr/bin/curl", "http://attic.local:8000/health"], {}, False),
        (["/x"], {"EnvironmentVariables": {"LIMIT": "8000"}}, False),
        (["/x", "--port", "8000"], {"RunAtLoad": False}, False),
    ],
)
def test_another_server_on_our_port_at_boot(
    stranger: Stranger, arguments: list[str], keys: Mapping[str, Any], is_told: bool
) -> None:
    path = stranger.job(arguments, "homebrew.mxcl.x.plist", **keys)
    said = stranger.told()
    assert bool(said) == is_told
    for sentence in said:
        assert f"{path} (com.example.x) starts another program on port 8000" in sentence
        assert sentence.endswith("or set closet_port to another one")


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (["/usr/bin/pmset", "-a", "sleep", "1"], True),
        (["/bin/sh", "-c", "pmset -g; pmset disksleep 10"], True),
        (["/usr/bin/pmset", "-g", "batt"], False),
        (["/usr/bin/pmset", "sleepnow"], False),
        (["/usr/bin/pmset", "displaysleepnow"], False),
        (["/usr/bin/pmset", "repeat", "wake", "MTWRF", "7:00:00"], False),
        (["/usr/local/bin/pmset_exporter"], False),
    ],
)
def test_another_pmset_tool(stranger: Stranger, arguments: list[str], is_told: bool) -> None:
    stranger.job(arguments)
    said = stranger.told()
    assert bool(said) == is_told
    assert all("sets power settings with pmset too" in sentence for sentence in said)


@pytest.mark.parametrize("name", ["etc/newsyslog.conf", "etc/newsyslog.d/mine.conf"])
def test_another_line_for_our_logs(stranger: Stranger, name: str) -> None:
    (stranger.root / name).write_text(
        "# logs\n#/var/log/closet/a.log 600 5 1 * N\n /var/log/closet/*.log 640 5 1000 * JG\n"
    )
    [said] = stranger.told()
    assert said.startswith(
        f"attic: line 3 of {stranger.root / name} rotates /var/log/closet/*.log too"
    )
    assert said.endswith(f"`sudo vi +3 {stranger.root / name}`")


def test_a_file_of_another_name_with_a_label_of_ours(stranger: Stranger) -> None:
    path = stranger.job(["/bin/ls"], "old.plist", Label="inference.closet.omlx", RunAtLoad=False)
    [said] = stranger.told()
    assert "has the label of a job of ours" in said
    command = said.split("`")[1]
    paste(command)
    assert not path.exists()
    assert stranger.told() == []


def test_what_is_no_job_is_passed_over(stranger: Stranger) -> None:
    (stranger.root / DAEMONS / "broken.plist").write_text(f"<plist>{LIMIT}")
    (stranger.root / DAEMONS / "list.plist").write_bytes(plistlib.dumps([LIMIT]))
    (stranger.root / DAEMONS / "folder.plist").mkdir()
    (stranger.root / DAEMONS / "dangling.plist").symlink_to("/nowhere")
    stranger.job(SYSCTL, Label="")
    assert stranger.told() == []


def test_lines_that_are_cut_are_left_out() -> None:
    keys = ("rival_job", "rival_script", "rival_switch", "rival_log")
    lines: dict[str, list[str]] = {key: [] for key in keys}
    lines["rival_job"] = ["", "!!! /a.plist", "YQ /b.plist"]
    lines["rival_switch"] = ["", '"a" => maybe']
    assert rivals.found(lines) == rivals.NONE

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands about sudo that we advise, run in the situation that gives them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.connection import sudo
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
)

HAS_SUDO = shutil.which("visudo", path="/usr/sbin:/usr/bin") and shutil.which("cvtsudoers")
with_sudo = pytest.mark.skipif(not HAS_SUDO, reason="no visudo or cvtsudoers on this machine")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}


def pasted(command: str, folder: Path) -> None:
    """Run a command as an administrator would, with `folder` in place of sudo's own."""
    here = command.replace(sudo.FOLDER, str(folder)).replace("| sudo ", "| ")
    here = here.removeprefix("sudo ")
    done = subprocess.run(
        ["/bin/sh", "-c", here], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def read_by_sudo(folder: Path) -> list[str]:
    """Names of the files that sudo would read there (sudoers(5))."""
    return [
        path.name
        for path in sorted(folder.iterdir())
        if "." not in path.name and not path.name.endswith("~")
    ]


@with_sudo
@pytest.mark.parametrize(
    ("user", "uid", "found"),
    [
        ("dot.ty", 502, {"userid": 502}),
        ("jane~", 502, {"userid": 502}),
        ("CORP\\jane doe", 1234567, {"userid": 1234567}),
        ("o'neil", 502, {"userid": 502}),
        ("../../x", 502, {"userid": 502}),
        ("dot.ty", None, {"username": "dot.ty"}),
        ("o'neil $(id)", None, {"username": "o'neil $(id)"}),
        ("CORP\\jane", None, {"username": "CORP\\jane"}),
    ],
)
def test_the_rule_that_we_advise_is_one_that_sudo_reads(
    tmp_path: Path, user: str, uid: int | None, found: dict[str, object]
) -> None:
    facts = parse(f"probe=begin\nkernel=Darwin\nuser={user}\nsudo=no\nprobe=end\n")
    sentence = sudo.not_allowed("attic", facts.user or "", facts.uid)
    assert sentence is not None
    assert sudo.without_password(user, None) in sentence
    pasted(sudo.without_password(user, uid), tmp_path)
    [name] = read_by_sudo(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o440
    done = subprocess.run(
        ["cvtsudoers", "-f", "json", tmp_path / name], capture_output=True, text=True, check=True
    )
    [spec] = json.loads(done.stdout)["User_Specs"]
    assert spec["User_List"] == [found]
    assert spec["Cmnd_Specs"][0]["Commands"] == [{"command": "ALL"}]
    assert {"authenticate": False} in spec["Cmnd_Specs"][0]["Options"]


def complaint(file: Path) -> str:
    """The first line that visudo says of a file; nothing when it is content."""
    done = subprocess.run(
        ["visudo", "-c", "-O", "-P", "-f", file],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.partition("\n")[0]


@with_sudo
@as_root
@pytest.mark.parametrize(("mode", "owner"), [(0o644, 0), (0o440, 12345), (0o666, 0)])
def test_a_file_with_the_wrong_mode_or_owner_is_mended(
    tmp_path: Path, mode: int, owner: int
) -> None:
    file = tmp_path / "my rules"
    file.write_text("root ALL=(ALL) ALL\n")
    file.chmod(mode)
    os.chown(file, owner, 0)
    told = complaint(file)
    assert told
    pasted(sudo.mend(told), tmp_path)
    assert complaint(file) == ""


@pytest.mark.parametrize(
    ("told", "command"),
    [
        ("/etc/sudoers.d/mine:1:17: syntax error", "sudo visudo -f /etc/sudoers.d/mine"),
        ("/etc/sudoers:9:1: syntax error", "sudo visudo -f /etc/sudoers"),
        ("/etc/sudoers.d/a b:1:1: syntax error", "sudo visudo -f '/etc/sudoers.d/a b'"),
        (
            "/etc/sudoers.d/x: bad permissions, should be mode 0440",
            "sudo chmod 0440 /etc/sudoers.d/x",
        ),
        (
            "/etc/sudoers.d/x: wrong owner (uid, gid) should be (0, 0)",
            "sudo chown 0:0 /etc/sudoers.d/x",
        ),
        ("visudo: no such luck", "sudo visudo"),
    ],
)
def test_the_command_fits_what_visudo_says(told: str, command: str) -> None:
    assert sudo.mend(told) == command

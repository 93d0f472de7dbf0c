# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the look finds below a home where a run puts something, and what it says of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe.obstacles import (
    SHELL,
    Obstacle,
    errors,
    found,
)


def look(home: Path, uid: int) -> tuple[Obstacle, ...]:
    done = subprocess.run(
        ["/bin/sh", "-c", SHELL],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        user=uid,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return found(line.partition("=")[2] for line in done.stdout.splitlines())


def test_a_home_in_order_has_none(home: Path, nobody: int) -> None:
    assert look(home, nobody) == ()
    for folder in (".config/closet", ".omlx"):
        (home / folder).mkdir(parents=True)
    (home / ".zshenv").write_text("theirs")
    (home / ".omlx/settings.json").write_text("{}")
    (home / ".omlx/settings.json").chmod(0o400)  # it is replaced, not written
    for path in home.rglob("*"):
        os.chown(path, nobody, -1)
    assert look(home, nobody) == ()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".omlx", "dangling"),
        (".config", "folder"),
        (".zshenv", "file"),
        (".omlx/settings.json", "file"),
        (".config/closet", "closed"),
        (".omlx/model_settings.json", "closed"),
        (".claude.json", "locked"),
        (".config/opencode", "locked"),
    ],
)
def test_each_obstacle_is_found_with_mode_and_owner(
    home: Path, nobody: int, path: str, kind: str
) -> None:
    place = home / path
    place.parent.mkdir(parents=True, exist_ok=True)
    os.chown(place.parent, nobody, -1)
    if kind == "dangling":
        place.symlink_to("nowhere")
    elif kind == "folder":
        place.write_text("a file")
    elif kind == "file":
        os.mkfifo(place)
    elif kind == "closed" and path.endswith(".json"):
        place.write_text("root's")  # as a hard link to a file of root's is
        place.chmod(0o600)
    elif kind == "closed":
        place.mkdir()  # root's
    elif path.endswith(".json"):
        place.write_text("{}")
        os.chown(place, nobody, -1)
    else:
        place.mkdir()
        os.chown(place, nobody, -1)
    if kind == "locked":
        subprocess.run(["/usr/bin/chattr", "+i", place], check=True)
    try:
        seen = [one for one in look(home, nobody) if one.path == str(place)]
    finally:
        if kind == "locked":
            subprocess.run(["/usr/bin/chattr", "-i", place], check=True)
    assert [one.kind for one in seen] == [kind]
    assert seen[0].mode == subprocess.getoutput(f"ls -ld '{place}'").split()[0]
    assert seen[0].owner == str(place.lstat().st_uid)


@pytest.mark.parametrize(
    ("kind", "is_linux", "command"),
    [
        ("dangling", False, "sudo -u kid mv -n '/Users/a b/.omlx' '/Users/a b/.omlx.aside'"),
        ("closed", True, "sudo -u kid mv -n '/Users/a b/.omlx' '/Users/a b/.omlx.aside'"),
        ("locked", False, "sudo chflags nouchg,noschg '/Users/a b/.omlx'"),
        ("locked", True, "sudo chattr -i '/Users/a b/.omlx'"),
    ],
)
def test_a_sentence_names_host_path_owner_and_command(
    kind: str, is_linux: bool, command: str
) -> None:
    (one,) = found([f"{kind} drwxr-xr-x 502 /Users/a b/.omlx"])
    (sentence,) = errors("attic", "kid", [one], is_linux)
    assert sentence.startswith("attic: /Users/a b/.omlx (mode drwxr-xr-x, owner uid 502) is ")
    assert sentence.endswith(f"on attic run `{command}`")


def test_a_line_that_is_cut_is_left_out() -> None:
    assert found(["folder drwx", "", "file - - relative"]) == ()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is too full is refused in a sentence, before a module that cannot be unpacked."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import script, space
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    parse,
    plain,
)

DATA = "/System/Volumes/Data"
ONE_VOLUME = ("/tmp", "/var", "/opt", "home")


def disks(free_mb: int, *paths: str, volume: str = DATA) -> list[space.Disk]:
    return [space.Disk(path, free_mb, volume) for path in paths]


def test_what_shares_a_volume_is_added_up() -> None:
    need = space.UNPACK_MB + space.LOGS_MB + 2 * space.ROOM_MB
    assert space.errors("attic", disks(need, *ONE_VOLUME), {}) == []
    (found,) = space.errors("attic", disks(need - 1, *ONE_VOLUME), {})
    for words in [
        f"attic: the disk of /tmp and /var and /opt and home ({DATA}) has {need - 1} MiB free",
        f"needs {need} MiB",
        "modules are unpacked there",
        f"sudo du -xhd 2 {DATA}",
    ]:
        assert words in found


@pytest.mark.parametrize("path", ONE_VOLUME)
def test_each_volume_has_its_own_sentence(path: str) -> None:
    others = [one for one in ONE_VOLUME if one != path]
    seen = disks(9999, *others) + disks(1, path, volume="/full")
    (found,) = space.errors("air", seen, {})
    assert f"air: the disk of {path} (/full) has 1 MiB free" in found


def test_a_program_that_is_not_there_yet_needs_room_in_opt() -> None:
    seen = disks(1000, "/opt", volume="/opt")
    assert space.errors("attic", seen, {"opencode": 360}) == []
    (found,) = space.errors("attic", seen, {"uv": 128, "omlx": 920})
    assert "needs 1112 MiB (/opt: uv, omlx will be installed there)" in found


@pytest.mark.parametrize(
    ("backend", "client", "installed", "missing"),
    [
        ("omlx", False, (), ["uv", "omlx"]),
        ("omlx", True, ("omlx/0123", "opencode/1.18"), ["uv"]),
        ("mlx_lm", False, ("uv/0.13", "omlx/0123"), ["mlx_lm", "gateway"]),
        ("ollama", False, ("gateway/1",), ["ollama"]),
        ("", True, (), ["opencode"]),
        ("", False, (), []),
    ],
)
def test_only_what_is_missing_counts(
    backend: str, client: bool, installed: tuple[str, ...], missing: list[str]
) -> None:
    wanted = space.wanted_programs(backend, client)
    assert list(space.missing_programs(installed, wanted)) == missing
    assert all(wanted.values())


def test_a_line_that_is_no_number_is_left_out() -> None:
    assert space.disks(["/tmp - /", "", "/var 2048", f"/opt 4096 {DATA} x"]) == (
        space.Disk("/opt", 4, f"{DATA} x"),
    )


# macOS 15 and Debian 12; the first has names with blanks in both columns
DF_MAC = """\
Filesystem                        1024-blocks      Used Available Capacity  Mounted on
/dev/disk3s5                        971350180 402653184 552000000    43%    /System/Volumes/Data
//GUEST:@my nas._smb._tcp/share one   1000000    999000      1000   100%    /Volumes/share one
"""


def test_the_look_reads_df_of_a_mac() -> None:
    program = script.FACTS.partition("| awk '\n  BEGIN { split(\"/tmp")[2].partition("}'\n")[0]
    done = subprocess.run(
        ["awk", '  BEGIN { split("/tmp' + program + "}"],
        input=DF_MAC,
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    seen = space.disks(line.removeprefix("room=") for line in done.stdout.splitlines())
    assert seen == (
        space.Disk("/tmp", 552000000 // 1024, DATA),
        space.Disk("/var", 0, "/Volumes/share one"),
    )


def test_the_look_reads_df_of_this_machine() -> None:
    done = subprocess.run(
        ["/bin/sh"], input=script.text(None), text=True, capture_output=True, check=True, timeout=30
    )
    seen = parse(done.stdout)
    assert [disk.path for disk in seen.disks] == list(ONE_VOLUME)
    assert all(disk.free_mb > 0 for disk in seen.disks)
    assert "disks" not in plain(seen)

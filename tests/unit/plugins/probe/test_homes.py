# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home is a folder of its user that nobody else can change, or it is refused with the remedy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.plugin_utils.probe import homes, macos, script
from ansible_collections.closet.inference.plugins.plugin_utils.probe.facts import (
    HostFacts,
    parse,
)

HOME = "admin 501 20 yes drwxr-xr-x 0 {} /Users/admin"
LINK = "admin 501 20 yes drwxr-xr-x 0 lrwxr-xr-x 0 0 /Users/admin"


def problems(*lines: str, linux: bool = False, own_group: bool = False) -> list[str]:
    return homes.errors("attic", homes.places(lines), linux, own_group)


@pytest.mark.parametrize("mode", ["drwxr-x---", "drwxr-xr-x", "drwx------", "drwxr-x---+"])
def test_a_home_as_macos_makes_it_is_right(mode: str) -> None:
    assert problems(HOME.format(f"{mode} 501 20")) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (HOME.format("drwxrwxrwx 501 20"), ["by other users", "sudo chmod go-w /Users/admin"]),
        (HOME.format("drwxrwxrwt 501 20"), ["by other users", "sudo chmod go-w /Users/admin"]),
        (HOME.format("drwxrwx---+ 501 20"), ["by other users", "mode drwxrwx---, owner 501"]),
        (
            HOME.format("drwxr-xr-x 502 20"),
            ["the user 502 and not to admin (501)", "sudo chown 501"],
        ),
        (HOME.format("drwxr-xr-x 0 0"), ["the user 0 and not to admin", "sudo chown 501"]),
        (HOME.format("-rw-r--r-- 501 20"), ["is not a folder", "sudo mv -n /Users/admin"]),
        (HOME.format("- - -"), ["is not there", "sudo install -d -o 501 -g 20 -m 0750"]),
        (HOME.format("dr-xr-xr-x 501 20"), ["not open to its own user", "sudo chmod u+rwx"]),
        (HOME.replace("yes", "no").format("drwx------ 501 20"), ["read-only", "chflags nouchg"]),
        (
            HOME.replace("-x 0", "wx 0", 1).replace("r-wx", "rwx").format("drwx------ 501 20"),
            ["lies in /Users, where others may replace it", "sudo chmod o-w /Users"],
        ),
    ],
)
def test_each_reason_has_its_sentence_with_host_path_and_remedy(
    line: str, words: list[str]
) -> None:
    (found,) = problems(line)
    for word in ["attic", "the home of admin, /Users/admin", *words]:
        assert word in found


def test_what_could_not_be_asked_is_no_reason() -> None:
    assert problems(HOME.replace("yes", "unknown").format("drwx------ 501 20")) == []
    assert problems("", "admin", "admin x 20 yes - - - - - /Users/admin") == []


def test_a_group_of_its_own_may_write_on_linux() -> None:
    line = "kim 1000 1000 yes drwxr-xr-x 0 drwxrwxr-x 1000 1000 /home/kim"
    assert problems(line, linux=True, own_group=True) == []
    assert len(problems(line, linux=True)) == 1
    other = line.replace("1000 1000 /", "1000 100 /")
    assert len(problems(other, linux=True, own_group=True)) == 1, "another group may"


VOLUME = "admin 501 20 yes drwxrwxr-x 501 {} /Volumes/Big/my home"


def test_a_link_to_another_volume_is_right_when_root_made_it() -> None:
    assert problems(LINK, VOLUME.format("drwxr-x--- 501 20")) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [LINK.replace("lrwxr-xr-x 0 0", "lrwxr-xr-x 501 20"), VOLUME],
            ["belongs to the user 501 and not to root", "sudo chown -h root /Users/admin"],
        ),
        (
            [LINK.replace("drwxr-xr-x 0", "drwxrwxr-x 0"), VOLUME],
            ["others than root may replace it", "sudo chmod go-w /Users"],
        ),
        (
            [LINK.replace("drwxr-xr-x 0", "drwxr-xr-x 502"), VOLUME],
            ["/Users belongs to the user 502", "sudo chown root /Users"],
        ),
        ([LINK, VOLUME.replace("{}", "- - -")], ["which is not there", "mount the volume"]),
        (
            [LINK, VOLUME.replace("{}", "drwxrwxrwx 501 20")],
            ["by other users", "sudo chmod go-w '/Volumes/Big/my home'"],
        ),
        ([LINK] * homes.HOPS, ["chain of more than 5 links"]),
    ],
)
def test_a_link_that_somebody_can_turn_is_refused(lines: list[str], words: list[str]) -> None:
    (found,) = problems(*[line.format("drwxr-x--- 501 20") for line in lines])
    for word in ["attic: the home of admin, /Users/admin,", *words]:
        assert word in found


def test_each_user_has_a_sentence_and_the_account_is_not_said_twice() -> None:
    account = "_closet 250 20 no drwxr-xr-x 0 drwxr-xr-x 501 20 /Users/_closet"
    found = problems(HOME.format("drwxrwxrwx 501 20"), account)
    assert ["admin" in found[0], "_closet" in found[1], len(found)] == [True, True, 2]
    seen = parse(f"probe=begin\naccount=250 staff\nplace={account}\nprobe=end\n")
    assert macos.no_account("attic", seen, "_closet") is None


# --- what the shell sees, on whatever this is -----------------------------------------------------


def seen_at(home: Path) -> HostFacts:
    done = subprocess.run(
        ["/bin/sh"],
        input=script.text(None),
        env={"HOME": str(home)},
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return parse(done.stdout)


def test_the_look_sees_nothing_a_file_and_a_folder(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    steps = [*seen_at(home).places]
    home.touch(0o644)
    steps += seen_at(home).places
    home.unlink()
    home.mkdir(0o755)
    steps += seen_at(home).places
    assert [step.mode for step in steps] == ["", "-rw-r--r--", "drwxr-xr-x"]
    assert {(step.path, step.folder_mode[:1]) for step in steps} == {(str(home), "d")}
    last = steps[-1]
    assert (last.owner, last.uid, last.writable) == (home.stat().st_uid, last.owner, True)
    assert (steps[0].owner, steps[0].group) == (None, None)


def test_the_look_follows_links_and_ends(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "second").symlink_to("real")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    way = seen_at(tmp_path / "first").places
    assert [(step.kind, Path(step.path).name) for step in way] == [
        ("l", "first"),
        ("l", "second"),
        ("d", "real"),
    ]
    (tmp_path / "loop").symlink_to("loop")
    assert len(seen_at(tmp_path / "loop").places) == homes.HOPS
    (tmp_path / "real").rmdir()
    assert [step.mode for step in seen_at(tmp_path / "first").places][-1] == ""

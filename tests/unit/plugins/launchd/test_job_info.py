# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd_job_info: the label is in the plist, whatever the file is called."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.launchd import info
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import Domain
from tests.unit.plugins.launchd.launchd_mac import LABEL, Mac

PREFIX = "inference.closet."


@pytest.fixture(autouse=True)
def folder(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the fake Mac's plists, in place of /Library/LaunchDaemons."""

    def path(_domain: Domain, label: str) -> str:
        return str(mac.folder / f"{label}.plist")

    monkeypatch.setattr(info, "default_path", path)
    return mac.folder


def write(path: Path, label: Any = LABEL, form: Any = plistlib.FMT_XML) -> Path:
    content = {"Program": "/bin/ls", **({} if label is None else {"Label": label})}
    path.write_bytes(plistlib.dumps(content, fmt=form))
    return path


def described(mac: Mac, label: str | None = None, prefix: str | None = PREFIX) -> Any:
    return info.describe_jobs(Launchctl(mac.launchd), "system", label, None if label else prefix)


def seen(mac: Mac, **asked: Any) -> list[tuple[str, str, bool]]:
    """Label, name of the file, and whether it is there."""
    return [
        (job["label"], Path(job["path"]).name, job["plist_exists"])
        for job in described(mac, **asked)
    ]


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_a_file_of_another_name_is_one_job(mac: Mac, folder: Path, form: Any) -> None:
    write(folder / "inference.closet.other.plist", form=form)
    assert seen(mac) == [(LABEL, "inference.closet.other.plist", True)]
    assert seen(mac, label=LABEL) == [(LABEL, "inference.closet.other.plist", True)]
    assert described(mac)[0]["state"] == "absent"


def test_a_loaded_job_whose_file_has_another_name_is_listed_once(mac: Mac, folder: Path) -> None:
    path = write(folder / "inference.closet.other.plist")
    mac.launchd.load(LABEL, plistlib.loads(path.read_bytes()), str(path))
    assert seen(mac) == [(LABEL, path.name, True)]
    assert described(mac)[0]["drift"] == []


def test_a_file_that_does_not_begin_with_the_prefix_can_hold_a_label_that_does(
    mac: Mac, folder: Path
) -> None:
    write(folder / "ssh.plist")
    write(folder / f"{PREFIX}ssh.plist", "com.openssh.sshd")
    assert seen(mac) == [(LABEL, "ssh.plist", True)]
    assert seen(mac, prefix="com.openssh.") == [("com.openssh.sshd", f"{PREFIX}ssh.plist", True)]


def test_of_two_files_with_one_label_the_one_of_its_name_counts(mac: Mac, folder: Path) -> None:
    write(folder / "a.plist")
    assert seen(mac) == [(LABEL, "a.plist", True)]
    write(folder / f"{LABEL}.plist")
    assert seen(mac) == [(LABEL, f"{LABEL}.plist", True)]


def test_what_is_no_plist_is_no_job(mac: Mac, folder: Path) -> None:
    (folder / f"{PREFIX}folder.plist").mkdir()
    (folder / f"{PREFIX}dangling.plist").symlink_to("/nowhere")
    (folder / f"{PREFIX}broken.plist").write_text("<plist>")
    (folder / f"{PREFIX}list.plist").write_bytes(plistlib.dumps([LABEL]))
    os.mkfifo(folder / f"{PREFIX}pipe.plist")
    write(folder / f"{PREFIX}none.plist", None)
    write(folder / f"{PREFIX}number.plist", 7)
    write(folder / f"{PREFIX}empty.plist", "")
    assert seen(mac) == []


def test_a_link_to_a_plist_is_a_job(mac: Mac, folder: Path) -> None:
    target = write(folder / "elsewhere")
    (folder / f"{PREFIX}link.plist").symlink_to(target)
    assert seen(mac) == [(LABEL, f"{PREFIX}link.plist", True)]


@pytest.mark.parametrize(
    ("kind", "is_there"),
    [("folder", False), ("dangling", False), ("other", False), ("broken", True), ("none", False)],
)
def test_whether_one_job_has_its_plist(mac: Mac, folder: Path, kind: str, is_there: bool) -> None:
    path = folder / f"{LABEL}.plist"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("/nowhere")
    elif kind == "other":
        write(path, "com.example.other")
    elif kind == "broken":
        path.write_text("<plist>")
    assert seen(mac, label=LABEL) == [(LABEL, path.name, is_there)]


def test_a_loaded_job_whose_file_became_another_job_s_differs_in_its_file(
    mac: Mac, folder: Path
) -> None:
    path = write(folder / f"{LABEL}.plist")
    mac.launchd.load(LABEL, plistlib.loads(path.read_bytes()), str(path))
    write(path, "com.example.other")
    [job] = described(mac)
    assert (job["drift"], job["plist_exists"]) == (["file"], False)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can change what root is about to execute; chown needs root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.closet.inference.plugins.module_utils import trusted_path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")
ROOT = frozenset({0})
OTHER = 4711


def brew(folder: Path) -> Path:
    """bin/python3.11 -> ../Cellar/3.11/bin/python3.11."""
    (folder / "bin").mkdir()
    (folder / "Cellar/3.11/bin").mkdir(parents=True)
    (folder / "Cellar/3.11/bin/python3.11").write_text("")
    (folder / "bin/python3.11").symlink_to("../Cellar/3.11/bin/python3.11")
    return folder / "bin/python3.11"


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its path; what is above tmp_path is as safe as on a Mac."""
    real = trusted_path._step

    def safe_above(path: str) -> trusted_path.Step:
        step = real(path)
        inside = Path(path).is_relative_to(tmp_path)
        return step if inside else trusted_path.Step(path, 0, 0, step.mode & ~0o022)

    monkeypatch.setattr(trusted_path, "_step", safe_above)
    return brew(tmp_path)


def test_what_root_alone_can_change_is_executed(python: Path) -> None:
    assert trusted_path.objection(str(python), ROOT) == ""


@pytest.mark.parametrize(
    "part",
    ["bin", "Cellar", "Cellar/3.11", "Cellar/3.11/bin", "Cellar/3.11/bin/python3.11"],
)
def test_every_step_on_the_way_counts(python: Path, part: str) -> None:
    step = python.parent.parent / part
    os.chown(step, OTHER, 0)
    assert f"{step} belongs to user {OTHER}" in trusted_path.objection(str(python), ROOT)
    assert trusted_path.objection(str(python), ROOT | {OTHER}) == ""
    os.chown(step, 0, 0)
    step.chmod(0o777)
    assert f"{step} can be changed by others (mode 0777)" in trusted_path.objection(
        str(python), ROOT
    )
    step.chmod(0o775)
    assert trusted_path.objection(str(python), ROOT) == "", "wheel's"
    os.chown(step, 0, OTHER)
    assert "(mode 0775)" in trusted_path.objection(str(python), ROOT)


def test_a_dangling_link_is_nothing_to_execute_unless_others_can_fill_it(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    assert trusted_path.objection(str(python), ROOT) == ""
    python.unlink()
    python.symlink_to(tmp_path / "open/gone")
    assert "open can be changed" in trusted_path.objection(str(python), ROOT)


def test_links_in_a_circle_end(python: Path) -> None:
    python.unlink()
    python.symlink_to("python3.11")
    assert "symbolic links" in trusted_path.objection(str(python), ROOT)


def test_a_folder_with_one_unsafe_python_is_not_searched(python: Path) -> None:
    folder = str(python.parent)
    assert trusted_path.safe_folders([folder, "/gone"], ["python", "git"]) == [folder]
    os.chown(python, OTHER, 0)
    assert trusted_path.safe_folders([folder], ["git"]) == [folder]
    assert trusted_path.safe_folders([folder], ["python", "git"]) == []


def test_the_administrator_who_ran_sudo_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "501")
    assert trusted_path.administrators() == {0, 501}
    monkeypatch.setenv("SUDO_UID", "none")
    assert trusted_path.administrators() == {0}

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which folders root opens, and that no swap between two steps leads it elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.closet.inference.plugins.module_utils import files, trusted
from ansible_collections.closet.inference.plugins.module_utils.accounts import account_of
from ansible_collections.closet.inference.plugins.module_utils.acting import Rights
from ansible_collections.closet.inference.plugins.module_utils.environment_build import (
    safe_folders,
)
from ansible_collections.closet.inference.plugins.module_utils.trusted import (
    UntrustedPathError,
    administrators,
    border_above,
    border_of_program,
    open_folder,
    unsafe_for_root,
)

NOBODY = 65534


def opens(path: Path) -> bool:
    try:
        os.close(open_folder(str(path)))
    except OSError:
        return False
    return True


def test_a_folder_of_roots_below_tmp_is_opened(place: Path) -> None:
    assert opens(place)


@pytest.mark.parametrize(
    ("uid", "mode", "who"),
    [
        (NOBODY, 0o755, "nobody"),
        (0, 0o757, "every account"),
        (0, 0o1777, "every account"),
    ],
)
def test_a_folder_that_others_can_change_is_refused(
    place: Path, uid: int, mode: int, who: str
) -> None:
    folder = place / "a" / "b"
    folder.mkdir(parents=True)
    (place / "a").chmod(mode)
    os.chown(place / "a", uid, -1)
    with pytest.raises(UntrustedPathError, match=f"where {who} can change them"):
        open_folder(str(place / "a"))
    # below a sticky folder root's own entry stays root's
    assert opens(folder) is bool(mode & stat.S_ISVTX)


def test_a_group_counts_when_somebody_is_in_it(place: Path) -> None:
    place.chmod(0o775)
    os.chown(place, 0, NOBODY)  # nobody's own group
    with pytest.raises(UntrustedPathError, match="the group nogroup can change"):
        open_folder(str(place))
    os.chown(place, 0, 0)
    assert opens(place)


def test_root_follows_no_link_but_macos_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "private/etc").mkdir(parents=True)
    (place / "etc").symlink_to("private/etc")
    with pytest.raises(UntrustedPathError, match="is a symbolic link to private/etc"):
        open_folder(str(place / "etc"))
    apple = {f"{place}/etc": f"{place}/private/etc"}
    monkeypatch.setattr(trusted, "APPLE_LINKS", apple)
    assert opens(place / "etc")
    (place / "etc").unlink()
    (place / "etc").symlink_to("elsewhere")
    with pytest.raises(UntrustedPathError):
        open_folder(str(place / "etc"))


def test_the_border_is_found_behind_a_home_that_root_linked(place: Path, home: Path) -> None:
    (place / "linked").symlink_to(home)
    border = border_above(f"{place}/linked/.omlx/settings.json")
    assert border is not None
    assert (border.path, border.uid) == (str(home), NOBODY)
    assert border_above(f"{place}/not/there") is None


def test_a_link_that_an_account_made_in_tmp_is_not_followed(attacker: Rights) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        link = f"{name}.link"
        attacker.call(os.symlink, "/etc", link)
        try:
            border = border_above(f"{link}/passwd")
            assert border is not None
            assert border.path == "/tmp"
        finally:
            os.unlink(link)  # noqa: PTH108


@pytest.mark.parametrize("changed", ["program", "folder", "target"])
def test_a_program_is_roots_with_everything_that_leads_to_it(place: Path, changed: str) -> None:
    (place / "real").mkdir()
    (place / "bin").mkdir()
    program = place / "real" / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (place / "bin" / "tool").symlink_to("../real/tool")
    assert border_of_program(f"{place}/bin/tool") is None
    strange = {"program": program, "folder": place / "bin", "target": place / "real"}[changed]
    os.chown(strange, NOBODY, -1)
    border = border_of_program(f"{place}/bin/tool")
    assert border is not None
    assert Path(border.path).resolve() == strange.resolve()
    assert border_of_program(f"{place}/bin/tool", trusted=(NOBODY,)) is None


def test_a_loop_of_links_is_an_error(place: Path) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        border_of_program(f"{place}/a")


# --- the property: whatever an account does between two steps ------------------------------------

NAMES = ("a", "b", "c")
OPERATIONS = st.tuples(
    st.sampled_from(["rename", "link", "mkdir", "write", "remove"]),
    st.lists(st.sampled_from([*NAMES, "evil"]), min_size=1, max_size=4),
    st.sampled_from(["a", "evil", "../evil", "/etc", "b/c", "."]),
)


def strike(root: str, operation: tuple[str, list[str], str]) -> None:
    """What an account tries; the kernel decides whether it may."""
    kind, parts, other = operation
    path = os.path.join(root, *parts)  # noqa: PTH118
    with contextlib.suppress(OSError, shutil.Error):
        if kind == "rename":
            os.rename(path, os.path.join(root, other))  # noqa: PTH104, PTH118
        elif kind == "link":
            Path(path).symlink_to(other)
        elif kind == "mkdir":
            os.mkdir(path)  # noqa: PTH102
        elif kind == "write":
            Path(path).write_text("evil")
        elif kind == "remove":
            os.unlink(path)  # noqa: PTH108


def build(root: Path, owners: list[str]) -> Path:
    """root/a/b/… each of its owner, a file of root's in the last; one folder is the account's."""
    folder = root
    for name, owner in zip(NAMES, owners):
        folder = folder / name
        folder.mkdir(mode=0o755)
        if owner == "theirs":
            os.chown(folder, NOBODY, -1)
        elif owner == "shared":
            folder.chmod(0o777)
        elif owner == "sticky":
            folder.chmod(0o1777)
    (folder / "file").write_text("good")
    (root / "evil").mkdir()
    (root / "evil" / "file").write_text("evil")
    os.chown(root / "evil", NOBODY, -1)
    return folder / "file"


@contextlib.contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, strikes: Callable[[], None]) -> Iterator[None]:
    """Let the account act before and after each look at a component."""
    real = trusted._link_target

    def with_strikes(*words: Any) -> str | None:
        strikes()
        try:
            return real(*words)
        finally:
            strikes()

    with monkeypatch.context() as patched:
        patched.setattr(trusted, "_link_target", with_strikes)
        yield


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    owners=st.lists(
        st.sampled_from(["root", "root", "theirs", "shared", "sticky"]), min_size=1, max_size=3
    ),
    operations=st.lists(OPERATIONS, min_size=1, max_size=12),
)
def test_whatever_an_account_does_root_reads_its_own_file_or_refuses(
    monkeypatch: pytest.MonkeyPatch, owners: list[str], operations: list[tuple[str, list[str], str]]
) -> None:
    attacker = Rights(account_of(NOBODY))
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        path = build(root, owners)
        left = iter(operations)

        def strikes() -> None:
            operation = next(left, None)
            if operation is not None:
                attacker.call(strike, name, operation)

        try:
            with interrupted(monkeypatch, strikes):
                data, status = files.read_file(path)
        except OSError:
            # what only root can change cannot be kept from it
            assert set(owners) != {"root"}
            return
        finally:
            attacker.close()
        assert data == b"good"
        assert status.st_uid == 0
        # only a sticky folder above root's own ones lets it through
        assert set(owners) <= {"root", "sticky"}
        assert owners[-1] == "root"


# --- interpreters: Homebrew's Python is its administrator's --------------------------------------


@pytest.fixture
def brewed(place: Path) -> Path:
    """bin/python3.11 -> ../Cellar/3.11/bin/python3.11."""
    (place / "bin").mkdir()
    (place / "Cellar/3.11/bin").mkdir(parents=True)
    (place / "Cellar/3.11/bin/python3.11").write_text("")
    (place / "bin/python3.11").symlink_to("../Cellar/3.11/bin/python3.11")
    return place / "bin/python3.11"


@pytest.mark.parametrize(
    "part", ["bin", "Cellar", "Cellar/3.11", "Cellar/3.11/bin", "Cellar/3.11/bin/python3.11"]
)
def test_every_step_to_an_interpreter_counts(
    brewed: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    step = brewed.parent.parent / part
    assert unsafe_for_root(str(brewed)) is None
    os.chown(step, NOBODY, 0)
    assert f"nobody can change {step}" in resolved(unsafe_for_root(str(brewed)))
    # who ran sudo may be root anyway
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    assert unsafe_for_root(str(brewed)) is None
    step.chmod(0o777)
    assert f"nobody can change {step}" in resolved(unsafe_for_root(str(brewed)))


def resolved(sentence: str | None) -> str:
    return (sentence or "").replace("/bin/../", "/")


def test_a_link_that_leads_to_nothing_counts_when_others_can_fill_it(
    brewed: Path, place: Path
) -> None:
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    brewed.unlink()
    brewed.symlink_to(place / "gone")
    assert unsafe_for_root(str(brewed)) is None
    brewed.unlink()
    brewed.symlink_to(place / "open/gone")
    assert f"every account can change {place}/open" in (unsafe_for_root(str(brewed)) or "")


def test_a_folder_with_one_unsafe_python_is_not_searched(brewed: Path) -> None:
    folder = str(brewed.parent)
    assert safe_folders([folder, "/gone"], ["python", "git"]) == [folder]
    os.chown(brewed.resolve(), NOBODY, 0)
    assert safe_folders([folder], ["git"]) == [folder]
    assert safe_folders([folder], ["python", "git"]) == []


def test_the_administrator_who_ran_sudo_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "501")
    assert administrators() == {0, 501}
    monkeypatch.setenv("SUDO_UID", "none")
    assert administrators() == {0}

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the disk refuses is told with its own path, what was being done, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.closet.inference.plugins.module_utils.models.disk import (
    StepError,
    explain_os_error,
    step,
)
from ansible_collections.closet.inference.plugins.module_utils.models.repo import ModelError
from tests.unit.plugins.advice.pasted import paste
from tests.unit.plugins.models.bench import REPO, SHARDS, Bench, served_files, tiny_model


@pytest.fixture
def published(bench: Bench) -> Bench:
    bench.hub.publish(REPO, tiny_model())
    return bench


@pytest.mark.parametrize(
    "place",
    [
        "config.json",
        "config.json/inside",
        "sub/tokenizer.json",
        f"{SHARDS[0]}.part",
        f"{SHARDS[0]}.part.journal",
        ".closet.json",
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_folder_where_a_file_belongs(published: Bench, place: str, check_mode: bool) -> None:
    (published.folder / place).mkdir(parents=True)
    wrong = published.folder / place.removesuffix("/inside")
    with pytest.raises(ModelError) as raised:
        published.run(check_mode=check_mode)
    said, _, command = str(raised.value).partition(" Move it away and run again: ")
    assert said == f"{wrong} is a folder, but the models need a file there."
    assert published.hub.bodies == []
    paste(command.strip("`"))
    published.run()
    assert {
        path: data for path, data in published.model_files().items() if ".away" not in path
    } == (served_files(tiny_model()))


@pytest.mark.parametrize("place", ["store", "store/acme", f"store/{REPO}", f"store/{REPO}/sub"])
def test_a_file_where_a_folder_belongs(published: Bench, place: str) -> None:
    wrong = published.store.parent / place
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text("x")
    with pytest.raises(ModelError) as raised:
        published.run()
    said, _, command = str(raised.value).partition(" Move it away and run again: ")
    assert said == f"{wrong} is a file, but the models need a folder there."
    assert published.hub.bodies == []
    paste(command.strip("`"))
    assert published.run()["models"][0]["state"] == "pulled"


def test_a_link_that_leads_to_itself_is_told_with_its_path(published: Bench) -> None:
    published.folder.mkdir(parents=True)
    loop = published.folder / "config.json"
    loop.symlink_to("config.json")
    with pytest.raises(ModelError) as raised:
        published.run()
    assert str(raised.value).startswith(
        f"{loop}: {os.strerror(errno.ELOOP)}, while reading the size of"
    )
    assert str(raised.value).endswith(f"`ls -lde {loop}`")


@pytest.mark.parametrize(
    ("call", "path", "doing"),
    [
        ("pwrite", f"{SHARDS[0]}.part", "writing a download"),
        ("ftruncate", f"{SHARDS[0]}.part", "verifying a download"),
    ],
)
def test_an_error_of_a_descriptor_gets_its_path(
    published: Bench, monkeypatch: pytest.MonkeyPatch, call: str, path: str, doing: str
) -> None:
    real = getattr(os, call)

    def fail(descriptor: int, *rest: Any) -> Any:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == path:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, *rest)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(ModelError) as raised:
        published.run(connections=1)
    said = f"{published.folder / path}: Input/output error, while {doing}."
    assert str(raised.value).startswith(said)


def test_a_name_that_cannot_be_taken_is_the_files_own(
    published: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "config.json":
            raise OSError(errno.EBUSY, "Resource busy", str(self), None, str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ModelError) as raised:
        published.run()
    final = published.folder / "config.json"
    assert str(raised.value).startswith(
        f"{final}: Resource busy, while giving a file its final name."
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", 8), "/store: Input/output error, while it ran."),
        (OSError(errno.EIO, "Input/output error", "x"), "/store: Input/output error, while"),
        (OSError(errno.EIO, "bad", "/a", None, "/b c"), "/b c: bad, while it ran. Check it with"),
        (OSError(errno.EIO, "bad", "/a"), "/a: bad, while it ran. Check it with: `ls -lde /a`"),
        (OSError("odd"), "/store: odd, while it ran."),
        (OSError(errno.EACCES, "Permission denied", "/a"), "/a may not be written by uid"),
    ],
)
def test_which_path_an_error_is_told_with(error: OSError, words: str) -> None:
    assert str(explain_os_error(error, "it ran", Path("/store"))).startswith(words)


def test_the_innermost_step_says_what_was_done() -> None:
    outer, inner = step("outer", Path("/outer")), step("inner", Path("/inner"))
    with pytest.raises(StepError) as raised, outer, inner:
        raise OSError(errno.EIO, "bad")
    said = str(explain_os_error(raised.value, "all", Path("/store")))
    assert said.startswith("/inner: bad, while inner.")

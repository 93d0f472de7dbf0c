# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack an untrusted tar archive: only files, folders and links that stay inside.

Links are created last, so no entry can be written through a link. Owners and special modes of the
archive are ignored.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import IO

MAX_BYTES = 32 << 30
MAX_ENTRIES = 200_000


class UnpackError(ValueError):
    """The archive has entries that no release needs."""


def unpack(file: IO[bytes], folder: str, strip: int = 0) -> None:
    """Unpack into the empty `folder`, which only we can write; `strip` drops leading folders."""
    room, entries = MAX_BYTES, 0
    links: list[tuple[str, str, bool]] = []
    try:
        with tarfile.open(fileobj=file, mode="r:*") as tar:
            for member in tar:
                entries, room = entries + 1, room - max(0, member.size)
                if entries > MAX_ENTRIES or room < 0:
                    raise UnpackError("it holds more than a release can")
                name = _inside(member.name, strip)
                if not name:
                    continue
                if member.issym():
                    links.append((name, member.linkname, True))
                elif member.islnk():
                    links.append((name, _inside(member.linkname, strip), False))
                else:
                    _place(tar, member, os.path.join(folder, name))  # noqa: PTH118
    except (tarfile.TarError, EOFError) as error:
        raise UnpackError(f"it cannot be read: {error}") from error
    for name, target, symbolic in links:
        _link(folder, name, target, symbolic)
    for name, target, symbolic in links:
        if symbolic:
            _refuse_outside(folder, name, target)


def _inside(name: str, strip: int) -> str:
    """The name without its first folders; empty when nothing is left of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise UnpackError(f"its entry '{name}' leads outside")
    return "/".join(parts[strip:])


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.isdir():
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
        return
    content = tar.extractfile(member)
    if not member.isreg() or content is None:
        raise UnpackError(f"its entry '{member.name}' is no file, folder or link")
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    mode = 0o755 if member.mode & 0o111 else 0o644
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as target:
        shutil.copyfileobj(content, target, 1 << 20)


def _link(folder: str, name: str, target: str, symbolic: bool) -> None:
    root, parent = os.path.realpath(folder), os.path.dirname(name)  # noqa: PTH120
    path = os.path.join(root, name)  # noqa: PTH118
    if os.path.realpath(os.path.join(root, parent)) != os.path.join(root, parent).rstrip("/"):  # noqa: PTH118
        raise UnpackError(f"its link '{name}' is to be made through another link")
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    if symbolic:
        os.symlink(target, path)  # noqa: PTH211
    else:
        _refuse_outside(folder, target, target)
        os.link(os.path.join(folder, target), path, follow_symlinks=False)  # noqa: PTH118


def _refuse_outside(folder: str, name: str, target: str) -> None:
    """Where a link leads to, through all the others, has to be in the folder."""
    root = os.path.realpath(folder)
    end = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118
    if target.startswith("/") or os.path.commonpath([root, end]) != root:
        raise UnpackError(f"its link '{name}' leads to '{target}', outside")

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that hold one closet's keys on the controller: for their owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import stat
import string
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import (
    sync_folder,
    write_atomic,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.keys import (
    LENGTH,
    MAIN,
    KeysRefusedError,
    Step,
)
from ansible_collections.closet.inference.plugins.plugin_utils.secrets.private_files import (
    SecretFileError,
    read_secret,
)

LETTERS = string.ascii_letters + string.digits
SUFFIX = ".key"


@dataclass(frozen=True)
class KeyStore:
    """The keys of `closet` in `folder`, which is beside the inventory and ignored by git."""

    folder: Path
    closet: str

    def path(self, name: str) -> Path:
        """Where the key of `name` is, or would be."""
        if name == MAIN:
            return self.folder / f"{self.closet}{SUFFIX}"
        if "/" in name or name.startswith("."):
            raise KeysRefusedError(f"'{name}' cannot be the name of a key's file: rename the host")
        return self.folder / self.closet / f"{name}{SUFFIX}"

    @property
    def revoked_folder(self) -> Path:
        """Where keys wait that open nothing any more, until that is proven."""
        return self.folder / self.closet / "revoked"

    def stored(self) -> dict[str, str]:
        """Every key by the name it is for."""
        main = self.path(MAIN)
        found = {MAIN: _read(main)} if os.path.lexists(main) else {}
        for path in sorted((self.folder / self.closet).glob(f"*{SUFFIX}")):
            found[path.name[: -len(SUFFIX)]] = _read(path)
        return found

    def revoked(self) -> dict[Path, str]:
        """Revoked keys, by file."""
        return {path: _read(path) for path in sorted(self.revoked_folder.glob(f"*{SUFFIX}"))}

    def apply(self, step: Step) -> None:
        """Do one step; a cut at any point leaves each key in at least one of its two places."""
        path = self.path(step.name)
        if step.verb != "create":
            self._make_folders()
            self._put_aside(path)
        if step.verb == "retire":
            path.unlink()
            sync_folder(path.parent)
            return
        self._make_folders()
        key = "".join(map(secrets.choice, [LETTERS] * LENGTH))
        write_atomic(path, f"{key}\n".encode(), 0o600, anywhere=True)

    def forget(self) -> int:
        """Remove the revoked keys, which were proven to open nothing; returns how many."""
        paths = sorted(self.revoked_folder.glob(f"*{SUFFIX}"))
        for path in paths:
            path.unlink()
        if paths:
            sync_folder(self.revoked_folder)
        return len(paths)

    def _make_folders(self) -> None:
        # the owner may keep the whole on another volume; below it nothing leads elsewhere
        _make_folder(self.folder, may_be_link=True)
        _make_folder(self.folder / self.closet)

    def _put_aside(self, path: Path) -> None:
        _make_folder(self.revoked_folder)
        number = 1
        while (aside := self.revoked_folder / f"{path.stem}-{number}{SUFFIX}").exists():
            number += 1
        write_atomic(aside, f"{_read(path)}\n".encode(), 0o600, anywhere=True)


def _read(path: Path) -> str:
    try:
        return read_secret(path)
    except SecretFileError as error:
        raise KeysRefusedError(str(error)) from error
    except FileNotFoundError as error:
        raise KeysRefusedError(
            f"{path} is a link that leads nowhere: remove it with `rm {shlex.quote(str(path))}`"
        ) from error


def _make_folder(path: Path, may_be_link: bool = False) -> None:
    """Make a folder for its owner alone; one that leads elsewhere is refused."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.stat() if may_be_link else path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        word = "a link" if stat.S_ISLNK(found.st_mode) else "no folder"
        quoted = shlex.quote(str(path))
        raise KeysRefusedError(
            f"{path} is {word}, and a folder of keys is expected there: move it away "
            f"with `mv -n {quoted} {quoted}.old`"
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The present state of omlx's two files: content, mode and owner."""

from __future__ import annotations

import json
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.closet.inference.plugins.module_utils.files import read_file
from ansible_collections.closet.inference.plugins.module_utils.omlx_settings.plan import (
    Document,
    same,
)

FILE_MODE = 0o600
FOLDER_MODE = 0o700
SETTINGS = "settings.json"
MODELS = "model_settings.json"


class SettingsNotWrittenError(RuntimeError):
    """A file could not be read or written."""


@dataclass(frozen=True)
class Found:
    """One file as it is; `document` None with `data` is a file that omlx could not read either."""

    data: bytes | None
    document: Document | None
    mode: int = 0
    uid: int = 0
    gid: int = 0

    @property
    def broken(self) -> bool:
        """There is a file and it is not usable."""
        return self.data is not None and self.document is None


@dataclass(frozen=True)
class Owner:
    """The wanted owner of the files; None keeps the owner, or means this account for new files."""

    uid: int | None
    gid: int | None


def found(path: Path) -> Found:
    """Read one file, where the account's own links lead; raises SettingsNotWrittenError."""
    try:
        data, status = read_file(real_path(path))
    except (FileNotFoundError, NotADirectoryError):
        return Found(None, None)
    except OSError as error:
        raise SettingsNotWrittenError(
            f"{path} cannot be read with the rights of uid {os.geteuid()}: {error.strerror}; see "
            f"who owns it and where it leads: `sudo ls -l {shlex.quote(str(path))}`"
        ) from error
    return Found(data, _parsed(data), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def real_path(path: Path) -> Path:
    """Where the account's links lead; root follows none."""
    return path if os.geteuid() == 0 else Path(os.path.realpath(path))


def _parsed(data: bytes) -> Document | None:
    try:
        document = json.loads(data)
    except ValueError:  # not JSON, or not UTF-8
        return None
    return document if isinstance(document, dict) else None


def attributes(path: Path) -> Found | None:
    """Mode and owner of a path, None for nothing."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Found(None, None, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def differs(have: Found, document: Document | None, owner: Owner) -> bool:
    """Whether content, mode or owner of a file differ from the wanted ones."""
    if document is None:
        return False
    if have.document is None or not same(have.document, document):
        return True
    return attributes_differ(have, FILE_MODE, owner)


def attributes_differ(have: Found | None, mode: int, owner: Owner) -> bool:
    """Whether mode or owner differ from the wanted ones."""
    if have is None:
        return True
    return (
        have.mode != mode
        or (owner.uid is not None and have.uid != owner.uid)
        or (owner.gid is not None and have.gid != owner.gid)
    )

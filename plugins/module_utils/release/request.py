# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of, from the words of a task."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REGISTRY = "https://registry.npmjs.org"
CHECKSUM = re.compile(r"(?P<algorithm>[a-z0-9_]+):(?P<value>.+)", re.DOTALL)
PACKAGE = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")


class ReleaseRefusedError(ValueError):
    """What is asked for cannot be done without harm; nothing was touched."""


class ReleaseFailedError(RuntimeError):
    """A step failed; what it had made is removed again."""


@dataclass(frozen=True)
class Want:
    """One release. `algorithm` and `digest` are of an archive; of a package its registry knows."""

    path: str
    kind: str  # archive | npm
    url: str = ""
    algorithm: str = ""
    digest: str = ""
    """A hexadecimal digest, or the address of a list of them."""
    headers: tuple[tuple[str, str], ...] = ()
    strip: int = 0
    package: str = ""
    version: str = ""
    registry: str = REGISTRY
    check: tuple[str, ...] = ()
    check_says: str = ""
    check_user: str = ""

    @property
    def mark(self) -> str:
        """What `.complete` says of it."""
        if self.kind == "npm":
            return f"{self.package}@{self.version}"
        return f"{self.algorithm}:{self.digest}"


def parse_want(params: Mapping[str, Any]) -> Want:
    """Check the task's words; raises ReleaseRefusedError."""
    common: dict[str, Any] = {
        "path": checked_path(str(params["path"])),
        "check": _checked_check(params.get("check") or ()),
        "check_says": params.get("check_says") or "",
        "check_user": params.get("check_user") or "",
    }
    if params["kind"] == "npm":
        return _npm(params, common)
    url = str(params["url"])
    if urlsplit(url).scheme not in ("https", "http", "file"):
        raise ReleaseRefusedError(f"url '{url}' is no address that begins with https://")
    found = CHECKSUM.fullmatch(str(params["checksum"]))
    if found is None or found["algorithm"] not in hashlib.algorithms_guaranteed:
        raise ReleaseRefusedError(
            f"checksum '{params['checksum']}' is not an algorithm and a digest, such as "
            "sha256:e9c8…, or an algorithm and the address of a list of digests"
        )
    return Want(
        kind="archive",
        url=url,
        algorithm=found["algorithm"],
        digest=found["value"],
        headers=tuple(sorted((params.get("headers") or {}).items())),
        strip=int(params.get("strip_components") or 0),
        **common,
    )


def checked_path(path: str) -> str:
    """An absolute path below a folder, as its parts are safe to join."""
    parts = path.split("/")
    if not path.startswith("/") or "." in parts or ".." in parts or len(Path(path).parts) < 3:
        raise ReleaseRefusedError(
            f"path '{path}' is not an absolute path below a folder such as /opt/closet"
        )
    return path.rstrip("/")


def _npm(params: Mapping[str, Any], common: Mapping[str, Any]) -> Want:
    package, version = str(params["package"]), str(params["version"])
    if not PACKAGE.fullmatch(package):
        raise ReleaseRefusedError(f"package '{package}' is no name of a package of npm")
    if not VERSION.fullmatch(version):
        raise ReleaseRefusedError(f"version '{version}' is no version; a range or a tag is no pin")
    registry = (params.get("registry") or REGISTRY).rstrip("/")
    return Want(kind="npm", package=package, version=version, registry=registry, **common)


def _checked_check(words: Any) -> tuple[str, ...]:
    check = tuple(str(word) for word in words)
    if check and (check[0].startswith("/") or ".." in check[0].split("/") or not check[0]):
        raise ReleaseRefusedError(
            f"check starts with '{check[0]}'; it is the path of a program below the release"
        )
    return check

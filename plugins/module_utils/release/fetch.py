# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download an archive and verify its digest before anything reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import ssl
import tempfile
from collections.abc import Mapping
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit

from ansible.module_utils.urls import ConnectionError as UrlsConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url

from ansible_collections.closet.inference.plugins.module_utils.release.request import (
    ReleaseFailedError,
    Want,
)

TIMEOUT_S = 60
CHUNK = 1 << 20
MAX_INDEX_BYTES = 64 << 20
AGENT = "closet.inference"
# npm's short form of a package's versions
ABBREVIATED = "application/vnd.npm.install-v1+json"


def archive(want: Want, folder: str) -> IO[bytes]:
    """The archive as an open file without a name in `folder`, checked and at its beginning."""
    if want.kind == "npm":
        url, algorithm, digest = _of_registry(want)
        return _fetch(url, {}, algorithm, digest, folder)
    digest = want.digest
    if "://" in digest:
        listed = _read(digest, {}).decode("utf-8", "replace")
        digest = _of_list(listed, want.url, digest)
    # they are for the first address alone, not for where it sends us
    return _fetch(want.url, dict(want.headers), want.algorithm, digest.lower(), folder)


def _of_registry(want: Want) -> tuple[str, str, str]:
    """Address, algorithm and digest (hexadecimal) of a package's tarball, as its registry says."""
    index = f"{want.registry}/{quote(want.package, safe='@')}"
    try:
        known = json.loads(_read(index, {"Accept": ABBREVIATED}))
        dist = known["versions"][want.version]["dist"]
        address, integrity = str(dist["tarball"]), str(dist["integrity"])
    except (ValueError, KeyError, TypeError):
        raise ReleaseFailedError(
            f"{index} lists no {want.package} {want.version} with an integrity. Next: correct the "
            f"version (`curl -s {shlex.quote(index)}` lists those that there are), or the registry"
        ) from None
    best = max(integrity.split(), key=lambda word: word.startswith("sha512-"))
    algorithm, _dash, digest = best.partition("-")
    if algorithm not in ("sha256", "sha384", "sha512"):
        raise ReleaseFailedError(
            f"{index} has {integrity} for {want.version}, and that proves nothing. Next: use a "
            "registry that has a sha512 of it"
        )
    return urljoin(index, address), algorithm, base64.b64decode(digest).hex()


def _of_list(text: str, url: str, where: str) -> str:
    """The digest of `url` in a list as sha256sum writes one; a list of one may have no name."""
    name = urlsplit(url).path.rpartition("/")[2]
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for words in lines:
        if len(words) == 2 and words[1].lstrip("*").rpartition("/")[2] == name:
            return words[0]
    if len(lines) == 1 and len(lines[0]) == 1:
        return lines[0][0]
    raise ReleaseFailedError(f"{where} has no digest of {name}. Next: correct the checksum")


def _fetch(
    url: str, headers: Mapping[str, str], algorithm: str, digest: str, folder: str
) -> IO[bytes]:
    found = hashlib.new(algorithm)
    # without a name, so that a run that is cut off leaves nothing
    file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    try:
        answer = _open(url, headers)
        try:
            while chunk := answer.read(CHUNK):
                found.update(chunk)
                file.write(chunk)
        finally:
            answer.close()
    except _TROUBLE as error:
        file.close()
        raise ReleaseFailedError(_unreachable(url, error)) from error
    if found.hexdigest() != digest:
        file.close()
        raise ReleaseFailedError(
            f"{url} is not what was pinned: it has {algorithm} {found.hexdigest()}, wanted is "
            f"{digest}. It was not unpacked. Next: run this again; if it fails again, the file was "
            "replaced at its source, or the pin is wrong"
        )
    file.seek(0)
    return file


def _read(url: str, headers: Mapping[str, str]) -> bytes:
    try:
        answer = _open(url, headers)
        try:
            return bytes(answer.read(MAX_INDEX_BYTES))
        finally:
            answer.close()
    except _TROUBLE as error:
        raise ReleaseFailedError(_unreachable(url, error)) from error


_TROUBLE = (HTTPError, URLError, UrlsConnectionError, SSLValidationError, ssl.SSLError, OSError)


def _open(url: str, headers: Mapping[str, str]) -> Any:
    return open_url(
        url,
        headers=dict(headers),
        unredirected_headers=list(headers),
        timeout=TIMEOUT_S,
        http_agent=AGENT,
    )


def _unreachable(url: str, error: BaseException) -> str:
    look = f"`curl -sSLI {shlex.quote(url)}` on this host says more"
    return f"{url} could not be fetched: {error}. Next: {look}"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The consent to serve beyond loopback: recorded on the host by playbooks/expose.yml.

It counts when root alone can have written it: a regular file of root's in a folder of root's,
neither of them writable by others, that names the host. Pure but for `on_this_host`.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FOLDER = "/opt/closet/consent"
FILE = f"{FOLDER}/lan.json"


@dataclass(frozen=True)
class Consent:
    """Who confirmed, for which host, when (UTC), how (`typed` or `command line`), for what."""

    host: str
    by: str
    at: str
    how: str
    addresses: tuple[str, ...]

    def text(self) -> str:
        """The record as it is kept: one line."""
        return json.dumps({**asdict(self), "addresses": list(self.addresses)}) + "\n"


def objection(host: str, modes: str, text: str) -> str | None:
    """Why what is recorded on `host` does not count, or None when it does.

    Args:
        modes: mode and owner's number of folder and file, as `ls -ldn` prints them, in a row.
        text: the record.
    """
    words = modes.split()
    if len(words) != 4:
        return "it has not been confirmed on this host"
    for path, kind, mode, owner in ((FOLDER, "d", *words[:2]), (FILE, "-", *words[2:])):
        if owner != "0" or mode[:1] != kind or mode[5:6] != "-" or mode[8:9] != "-":
            return f"{path} is not root's alone ({mode}, uid {owner}), so others may have made it"
    return _said(host, text)


def sentence(host: str, why: str, command: str) -> str:
    """What a run says that is to serve the LAN and may not; `command` asks for the consent."""
    return (
        f"{host}: closet_exposure is lan, and {why}: run `{command}` and type its name, or set "
        "closet_exposure: loopback for it"
    )


def on_command_line(name: str, extra_vars: Iterable[str]) -> str | None:
    """The value that the command's own `-e` words give to the variable `name`; the last counts.

    `-e @file` is a file, so what it holds does not count. A template is a text here, as any other.
    """
    found = None
    for words in map(str, extra_vars):
        given = {} if words.startswith("@") else _variables(words)
        if name in given:
            found = str(given[name])
    return found


def on_this_host(folder: str = FOLDER, file: str = FILE) -> str | None:
    """Why no consent counts on the host this runs on, or None when one does."""
    try:
        seen = [os.lstat(folder), os.lstat(file)]
        with open(file, encoding="utf-8") as stream:  # noqa: PTH123 - one look, one read
            text = stream.read()
    except OSError:
        return "it has not been confirmed on this host"
    modes = " ".join(f"{stat.filemode(one.st_mode)} {one.st_uid}" for one in seen)
    return objection("", modes, text)


def _variables(words: str) -> Mapping[str, Any]:
    """What one `-e` sets: JSON, or words as name=value."""
    try:
        if words[:1] in "[{":
            document = json.loads(words or "{}")
            return document if isinstance(document, Mapping) else {}
        return dict(word.partition("=")[::2] for word in shlex.split(words) if "=" in word)
    except ValueError:  # what cannot be read confirms nothing
        return {}


def _said(host: str, text: str) -> str | None:
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, Mapping) or not record.get("host"):
        return f"{FILE} is not a record of it"
    if host and record["host"] != host:
        return f"what was confirmed there is for {record['host']}"
    return None

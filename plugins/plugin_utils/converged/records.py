# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of converged hosts on the controller.

A host has converged when a run of site.yml changed nothing on it. The record of that run has a
digest of the run's inputs, the watches of its tasks, and digests of what the probe saw before the
tasks. If a later run has the same inputs and sees the same, its tasks would change nothing either,
so it leaves them out. A record that is lost or unreadable costs one complete run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.closet.inference.plugins.module_utils.files import write_atomic
from ansible_collections.closet.inference.plugins.plugin_utils.converged import watches

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What is known of a host since its last run.

    `subjects` are digests of the observed state, by subject; empty until a run changed nothing.
    `closet` is the state of a laptop's closet at that time. `homes` are those of the accounts that
    read their own files. Nothing here reveals what was digested.
    """

    watches: tuple[watches.Watch, ...] = ()
    inputs: str = ""
    subjects: Mapping[str, str] | None = None
    homes: Mapping[str, str] = field(default_factory=dict)
    closet: str = ""
    salt: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "format": FORMAT,
            "watches": [watch.plain() for watch in self.watches],
            "inputs": self.inputs,
            "subjects": None if self.subjects is None else dict(self.subjects),
            "homes": dict(self.homes),
            "closet": self.closet,
            "salt": self.salt,
        }

    @property
    def state(self) -> str:
        """One digest for all subjects."""
        text = json.dumps(dict(self.subjects or {}), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def digests(self, subjects: Mapping[str, str]) -> dict[str, str]:
        """The subjects as this record keeps them."""
        key = bytes.fromhex(self.salt)
        return {
            subject: hmac.new(key, text.encode(), "sha256").hexdigest()
            for subject, text in subjects.items()
        }

    def differences(self, inputs: str, subjects: Mapping[str, str]) -> list[str]:
        """What is not as this record has it; empty if nothing differs."""
        if self.subjects is None:
            return ["no run without changes is known"]
        now = self.digests({"inputs": inputs, **subjects})
        then = {"inputs": self.inputs, **self.subjects}
        return sorted(name for name in {*now, *then} if now.get(name) != then.get(name))


def made(
    inputs: str,
    found: Iterable[watches.Watch],
    subjects: Mapping[str, str] | None,
    homes: Mapping[str, str],
) -> Record:
    """A record with a salt of its own."""
    bare = Record(watches=tuple(found), homes=homes, salt=secrets.token_hex(16))
    return replace(
        bare,
        inputs=bare.digests({"inputs": inputs})["inputs"],
        subjects=None if subjects is None else bare.digests(subjects),
    )


def from_plain(plain: Mapping[str, Any]) -> Record:
    """The opposite of `plain`; raises ValueError or its like for anything else."""
    values = dict(plain)
    if values.pop("format") != FORMAT:
        raise ValueError("another format")
    bytes.fromhex(values["salt"])
    return Record(**{**values, "watches": tuple(map(watches.read, values["watches"]))})


def folder(sources: Sequence[str]) -> Path:
    """Where the records of an inventory are; the same for all who name it in another way."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    paths = "\n".join(sorted(os.path.realpath(source) for source in sources))
    name = hashlib.sha256(paths.encode()).hexdigest()[:16]
    return caches / "closet.inference/converged" / name


def read(at: Path, host: str) -> Record | None:
    """The record of a host; None without one that can be read."""
    try:
        return from_plain(json.loads(_path(at, host).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(at: Path, host: str, record: Record) -> None:
    """Keep a record, for the owner of this computer alone."""
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(record.plain())
    write_atomic(_path(at, host), text.encode(), 0o600, lasting=False, anywhere=True)


def _path(at: Path, host: str) -> Path:
    return at / f"{quote(host, safe='')}.json"

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task relied on, so that the next probe can see whether it is still so.

An action plugin turns its options into watches when its task runs. The next run's probe observes
them with shell commands that macOS and Linux ship. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PMSET = "pmset"


@dataclass(frozen=True)
class Watch:
    """One thing on a host.

    `kind` is path (owner, mode, target of a link, content), entry (the same without the content),
    tree (names, sizes and times of all files below), job (a launchd label), pmset, or endpoint.
    `name` is the path, the label or the URL. Of an endpoint: `key` is the digest of the API key,
    `refused` are those of revoked keys, and `model` answers a request.
    """

    kind: str
    name: str
    key: str = ""
    refused: tuple[str, ...] = ()
    model: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def read(plain: Mapping[str, Any]) -> Watch:
    """The opposite of `plain`."""
    return Watch(**{**plain, "refused": tuple(plain["refused"])})


def digest(secret: str) -> str:
    """Names a key without holding it; the keys are random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def of_files(options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of managed_files: each path, and nothing below a folder."""
    for entry in options["files"]:
        yield Watch("path", str(entry["path"]).rstrip("/"))


def of_jobs(options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of launchd_job: each job as launchd has it, its plist, its program and its logs."""
    for job in options.get("jobs") or [options]:
        if job.get("domain", "system") != "system":
            raise ValueError(job["domain"])
        yield Watch("job", str(job["label"]))
        yield Watch("path", job.get("path") or f"/Library/LaunchDaemons/{job['label']}.plist")
        plist = job.get("plist") or {}
        for key in ("StandardOutPath", "StandardErrorPath"):
            if plist.get(key):
                yield Watch("entry", str(plist[key]))  # a log grows
        for word in [plist.get("Program"), *(plist.get("ProgramArguments") or [])[:1]]:
            if word:
                yield Watch("path", str(word))


def of_power(_options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of power_settings: all that pmset prints."""
    yield Watch(PMSET, PMSET)


def of_models(options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of omlx_model: the store, and the folder of links. A run that asks the hub has none."""
    if options.get("follow") or options.get("state", "present") != "present":
        raise ValueError("the hub may have changed")
    yield Watch("tree", str(options["store"]))
    yield Watch("tree", str(options["serve_dir"]))


def of_settings(options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of omlx_settings: its two files. What the running server makes of them, /v1 shows."""
    base = str(options["base_path"]).rstrip("/")
    for name in ("", "/settings.json", "/model_settings.json"):
        yield Watch("path", base + name)


def of_endpoint(options: Mapping[str, Any]) -> Iterator[Watch]:
    """Of inference_endpoint: the list of models, an answer, and that old keys are refused."""
    if options.get("resolves_to") or options.get("expect", "ok") != "ok" or options.get("measure"):
        raise ValueError("this check is more than a list and an answer")
    yield Watch(
        "endpoint",
        str(options["url"]).rstrip("/"),
        digest(str(options["api_key"])) if options.get("api_key") else "",
        tuple(digest(str(key)) for key in options.get("refused_keys") or ()),
        str(options.get("answer") or ""),
    )


OF = {
    "managed_files": of_files,
    "launchd_job": of_jobs,
    "power_settings": of_power,
    "omlx_model": of_models,
    "omlx_settings": of_settings,
    "inference_endpoint": of_endpoint,
}
"""By module. A host on which another module runs never counts as converged."""


def of_task(module: str, options: Mapping[str, Any]) -> list[Watch] | None:
    """What a task relied on; None if a probe cannot observe it."""
    try:
        found = list(OF[module](options))
        return [*found, *_above(found)]
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _above(found: Iterable[Watch]) -> Iterator[Watch]:
    """The folders on the way to each path: a run refuses one that another account can write."""
    for watch in found:
        at = watch.name
        while watch.kind in ("path", "entry", "tree") and (at := at.rpartition("/")[0]):
            yield Watch("entry", at)


def unique(watches: Iterable[Watch]) -> list[Watch]:
    """Each once, in their order."""
    return list(dict.fromkeys(watches))

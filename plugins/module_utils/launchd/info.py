# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describes jobs as launchd has them, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import (
    Processes,
    account_processes,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.drift import loaded_drift
from ansible_collections.closet.inference.plugins.module_utils.launchd.job import (
    default_path,
    file_at,
    observe,
    parse_domain,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    FileKind,
    FileState,
    Have,
    JobError,
    Presence,
    Want,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.preflight import troubles
from ansible_collections.closet.inference.plugins.module_utils.launchd.printout import Printout
from ansible_collections.closet.inference.plugins.module_utils.launchd.report import (
    process_facts,
    without_secrets,
)


def describe_jobs(
    launchctl: Launchctl, domain_name: str, label: str | None, prefix: str | None
) -> list[dict[str, Any]]:
    """One job, or all whose label begins with `prefix`, loaded or only on disk, in order."""
    domain = parse_domain(domain_name)
    if domain.missing_user:
        raise JobError(f"there is no user '{domain.missing_user}' for the domain {domain.name}.")
    disabled = launchctl.disabled(domain)
    with account_processes() as processes:
        on_disk = _on_disk(Path(default_path(domain, "x")).parent, processes)
        labels = [label] if label else _labels(launchctl, domain, prefix or "", on_disk)
        return [
            _describe(launchctl, domain, name, on_disk.get(name, ()), disabled, processes)
            for name in labels
        ]


def _on_disk(folder: Path, processes: Processes) -> dict[str, list[str]]:
    """Paths of a folder's plists by the label in them, which the name of a file does not decide."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.plist")):
        label = _label_of(file_at(str(path), processes))
        if label:
            found.setdefault(label, []).append(str(path))
    return found


def _label_of(file: FileState) -> str | None:
    label = (file.content or {}).get("Label")
    return label if isinstance(label, str) else None


def _labels(
    launchctl: Launchctl, domain: Domain, prefix: str, on_disk: Mapping[str, Sequence[str]]
) -> list[str]:
    loaded, result = launchctl.labels(domain)
    if loaded is None:
        said = " ".join(result.stderr.split()) or "its output has no list of services"
        raise JobError(f"cannot list the jobs of {domain.name}: {said} (exit code {result.rc}).")
    return sorted(name for name in {*loaded, *on_disk} if name.startswith(prefix))


def _describe(
    launchctl: Launchctl,
    domain: Domain,
    label: str,
    files: Sequence[str],
    disabled: Mapping[str, bool] | None,
    processes: Processes,
) -> dict[str, Any]:
    path = default_path(domain, label)
    if files and path not in files:
        path = files[0]
    want, have = observe(launchctl, Want(label, domain, path), disabled, processes)
    if have.presence is Presence.UNKNOWN:
        raise JobError(f"cannot tell whether {want.target} is loaded. {have.probe}")
    job = have.job if have.presence is Presence.LOADED else None
    return {
        "label": label,
        "domain": domain.name,
        "state": have.state,
        "override": have.override.value,
        "path": want.path,
        "plist_exists": _is_there(want, have),
        "drift": _drift(want, have),
        "trouble": " ".join(troubles(have)) or None,
        **process_facts(job),
        **_definition(job),
    }


def _is_there(want: Want, have: Have) -> bool:
    """Whether the job has its plist; another job's, a folder and a dangling link are none.

    A file that cannot be read may be the job's.
    """
    if have.file.content is not None:
        return _label_of(have.file) == want.label
    return have.file.kind in (FileKind.BROKEN, FileKind.UNREADABLE)


def _drift(want: Want, have: Have) -> list[str]:
    """In what the loaded job differs from its own file."""
    if have.job is None or have.presence is not Presence.LOADED:
        return []
    if have.file.content is None or _label_of(have.file) != want.label:
        return ["file"]
    return loaded_drift(have.file.content, want.path, have.job)


def _definition(job: Printout | None) -> dict[str, Any]:
    """The definition as launchd holds it in memory; null where it does not say."""
    values: Mapping[str, str] = job.values if job else {}
    environment = job.environment if job else None
    arguments = job.arguments if job else None
    return {
        "launchd_state": values.get("state"),
        "type": values.get("type"),
        "program": values.get("program"),
        "arguments": None if arguments is None else list(arguments),
        "environment": None if environment is None else without_secrets(environment),
        "working_directory": values.get("working directory"),
        "stdout_path": values.get("stdout path"),
        "stderr_path": values.get("stderr path"),
        "username": values.get("username"),
        "exit_timeout_s": job.exit_timeout if job else None,
        "throttle_s": job.throttle if job else None,
        "umask": job.umask if job else None,
        "properties": list(job.properties) if job else [],
    }

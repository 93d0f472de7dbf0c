# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describes jobs as launchd has them, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.closet.inference.plugins.module_utils.acting import Crew, crew
from ansible_collections.closet.inference.plugins.module_utils.launchd.drift import loaded_drift
from ansible_collections.closet.inference.plugins.module_utils.launchd.job import (
    default_path,
    observe,
    parse_domain,
)
from ansible_collections.closet.inference.plugins.module_utils.launchd.launchctl import Launchctl
from ansible_collections.closet.inference.plugins.module_utils.launchd.model import (
    Domain,
    FileKind,
    Have,
    JobError,
    Presence,
    Want,
)
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
    labels = [label] if label else _labels(launchctl, domain, prefix or "")
    with crew() as hands:
        return [_describe(launchctl, domain, name, disabled, hands) for name in labels]


def _labels(launchctl: Launchctl, domain: Domain, prefix: str) -> list[str]:
    loaded, result = launchctl.labels(domain)
    if loaded is None:
        said = " ".join(result.stderr.split()) or "its output has no list of services"
        raise JobError(f"cannot list the jobs of {domain.name}: {said} (exit code {result.rc}).")
    folder = Path(default_path(domain, "x")).parent
    on_disk = [path.stem for path in folder.glob(f"{prefix}*.plist")] if prefix else []
    return sorted({name for name in loaded if name.startswith(prefix)} | set(on_disk))


def _describe(
    launchctl: Launchctl,
    domain: Domain,
    label: str,
    disabled: Mapping[str, bool] | None,
    hands: Crew,
) -> dict[str, Any]:
    want = Want(label, domain, default_path(domain, label))
    want, have = observe(launchctl, want, disabled, hands)
    if have.presence is Presence.UNKNOWN:
        raise JobError(f"cannot tell whether {want.target} is loaded. {have.probe}")
    job = have.job if have.presence is Presence.LOADED else None
    return {
        "label": label,
        "domain": domain.name,
        "state": have.state,
        "override": have.override.value,
        "path": want.path,
        "plist_exists": have.file.kind is not FileKind.ABSENT,
        "drift": _drift(want, have),
        **process_facts(job),
        **_definition(job),
    }


def _drift(want: Want, have: Have) -> list[str]:
    """In what the loaded job differs from its own file."""
    if have.job is None or have.presence is not Presence.LOADED:
        return []
    if have.file.content is None:
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

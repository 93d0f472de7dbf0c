# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of ours as data, for the private role _daemon and for plays that stop or log servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.daemon import job, paths


def daemon_paths(
    name: str,
    version: str,
    user: str,
    facts: Mapping[str, Any] | None = None,
    companion: bool = False,
    previous: bool = False,
) -> dict[str, Any]:
    """Where the server `name` lives: release, the one before, and logs."""
    version, user = str(version).strip(), str(user)
    return paths.paths(
        str(name), version, user, facts or {}, companion=companion, previous=previous
    )


def daemon_job(daemon: Mapping[str, Any], log_size_kib: int, log_count: int) -> dict[str, Any]:
    """The launchd job of a server."""
    return job.job(daemon, log_size_kib, log_count)


def daemon_stop(daemon: Mapping[str, Any], state: str = "stopped") -> dict[str, Any]:
    """The launchd job that ends a server."""
    return job.stop(daemon, state)


def daemon_files(daemon: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files of a server."""
    return job.files(daemon)


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {
            "daemon_files": daemon_files,
            "daemon_job": daemon_job,
            "daemon_paths": daemon_paths,
            "daemon_stop": daemon_stop,
        }

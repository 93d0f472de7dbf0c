# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of ours as a launchd job: what all have in common, and what its table adds. Pure.

A table is the option `daemon` of the private role `_daemon`, which documents its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BIN = "/opt/closet/bin"
# Restarted after a crash or an error, not after a clean end. 63 is a umask of 077.
SHARED: Mapping[str, Any] = {
    "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
    "RunAtLoad": True,
    "ThrottleInterval": 30,
    "ProcessType": "Interactive",
    "Umask": 63,
    "SoftResourceLimits": {"NumberOfFiles": 4096},
}


def job(daemon: Mapping[str, Any], log_size_kib: int, log_count: int) -> dict[str, Any]:
    """The job of a server, as `launchd_job` takes one."""
    paths = daemon["paths"]
    plist = {
        "ProgramArguments": [
            *_logged(daemon, log_size_kib, log_count),
            *_waiting(daemon),
            *map(str, daemon["argv"]),
        ],
        "UserName": daemon["user"],
        "GroupName": daemon["group"],
        "WorkingDirectory": daemon["folder"],
        "EnvironmentVariables": {
            **daemon["environment"],
            **{name: str(value) for name, value in (daemon.get("owner_environment") or {}).items()},
        },
        **SHARED,
        "ExitTimeOut": int(daemon["exit_timeout_s"]),
        "StandardOutPath": paths["launchd_log"],
        "StandardErrorPath": paths["launchd_log"],
        **(daemon.get("owner_plist") or {}),
    }
    return {
        "label": daemon["paths"]["label"],
        "plist": plist,
        "state": daemon.get("state") or "started",
        "restart_on": {"program": paths["path"], **(daemon.get("restart_on") or {})},
        **_drain(daemon),
    }


def stop(daemon: Mapping[str, Any], state: str) -> dict[str, Any]:
    """The job in another state, as `launchd_job` takes one: stopped, absent or restarted."""
    return {"label": daemon["paths"]["label"], "state": state, **_drain(daemon)}


def files(daemon: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files of a server, as `managed_files` takes them: the folder of its log, then its own."""
    log = {
        "path": daemon["paths"]["log"].rpartition("/")[0],
        "state": "directory",
        "owner": daemon["user"],
        "group": daemon["group"],
        "mode": "0750",
    }
    return [log, *daemon["files"]]


def _logged(daemon: Mapping[str, Any], size_kib: int, count: int) -> list[str]:
    # closet-log keeps the output and then becomes the server: same pid, same exit code
    twin = daemon.get("log_twin")
    return [
        str(daemon["python"]),
        f"{BIN}/closet-log",
        f"--file={daemon['paths']['log']}",
        f"--bytes={int(size_kib) * 1024}",
        f"--count={int(count)}",
        f"--ends={daemon['paths']['launchd_log']}",
        *([f"--twin={twin}"] if twin else []),
        "--",
    ]


def _waiting(daemon: Mapping[str, Any]) -> list[str]:
    # launchd starts jobs in no order, and MLX reads the wired limit only at its start
    limit = int(daemon.get("wired_limit_mb") or 0)
    return [f"{BIN}/closet-wired-wait", str(limit)] if daemon.get("waits") else []


def _drain(daemon: Mapping[str, Any]) -> dict[str, Any]:
    if not daemon.get("drain"):
        return {}
    return {"before_stop": daemon["drain"], "before_stop_timeout_s": int(daemon["drain_timeout_s"])}

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the exposure of a settings.json: beyond loopback it needs a key and a consent; pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

LOOPBACK = "127.0.0.1"
PORT = 8000


def objection(document: Mapping[str, Any], no_consent: str | None, command: str = "") -> str | None:
    """Why these settings may not be written, or None.

    `no_consent` says why the host's consent to serve the LAN does not count; None when it does.
    `command` is the one on the controller that gives it.
    """
    open_to = [name for name in hosts(document) if not is_loopback(name)]
    if not open_to:
        return None
    shown = f"server.host is {', '.join(open_to)}, which others can reach, and"
    auth = document.get("auth")
    auth = auth if isinstance(auth, dict) else {}
    if not auth.get("api_key"):
        return f"{shown} there is no API key; give api_key or set server.host to {LOOPBACK}"
    if auth.get("skip_api_key_verification"):
        return (
            f"{shown} auth.skip_api_key_verification lets all clients in, as administrator too; "
            "set it to false"
        )
    if no_consent:
        remedy = f"run `{command}` first" if command else "confirm it with closet.inference.expose"
        return f"{shown} {no_consent}: {remedy}, or set server.host to {LOOPBACK}"
    return None


def hosts(document: Mapping[str, Any]) -> list[str]:
    """The addresses that a server with these settings binds to."""
    server = document.get("server")
    host = server.get("host") if isinstance(server, dict) else None
    names = host if isinstance(host, list) else str(host or LOOPBACK).split(",")
    return [str(name).strip() for name in names]


def local_end(document: Mapping[str, Any] | None) -> tuple[str, int]:
    """Host and port at which this machine reaches a server that was started with these settings."""
    given = document or {}
    server = given.get("server")
    port = server.get("port") if isinstance(server, dict) else None
    names = hosts(given)
    near = [name for name in names if is_loopback(name)]
    # an address of all interfaces is reached at loopback; a single other one only at itself
    far = [name for name in names if name not in ("0.0.0.0", "::")]
    host = (near or far or [LOOPBACK])[0] if LOOPBACK not in near else LOOPBACK
    return host.strip("[]"), port if isinstance(port, int) else PORT


def is_loopback(host: str) -> bool:
    """Whether an address to bind to is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats that a text or a number of an option can have: PORT, PATH, URL, VERSION and others.

Pure. option_formats.py says which option has which. A value with a line end could add a line to a
file of root's, so no format but TEXT takes one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Format:
    """`right` completes "has to be …"; a secret one is never shown."""

    right: str
    fits: Callable[[Any], bool]
    secret: bool = False


def whole(low: int, high: int, unit: str) -> Format:
    unit = f" {unit}" if unit else ""
    return Format(f"a whole number from {low} to {high}{unit}", lambda value: low <= value <= high)


def _text(pattern: str, right: str) -> Format:
    return Format(right, lambda value: re.fullmatch(pattern, value, re.ASCII) is not None)


def _is_line(value: str) -> bool:
    return value.isprintable()


def _is_path(value: str) -> bool:
    return _has_path_names(value) and value.startswith("/")


def _is_path_below(value: str) -> bool:
    return _has_path_names(value) and not value.startswith("/")


def _has_path_names(value: str) -> bool:
    """Names of 255 bytes and 1023 in all are the most that macOS has (limits.h)."""
    names = value.split("/")
    return (
        _is_line(value)
        and ".." not in names
        and all(len(name.encode()) <= 255 for name in names)
        and len(value.encode()) <= 1023
    )


def _is_rotated(value: str) -> bool:
    """What newsyslog can name: a line has 1023 bytes at most, and other fields take up to 70."""
    return (
        _is_path(value)
        and not re.search(r"\s", value)
        and len(value.replace("#", r"\#").encode()) <= 900
    )


def _is_caddy_path(value: str) -> bool:
    """Caddy replaces what is in braces, and a socket's path has 104 bytes (sun_path, unix(4))."""
    return _is_path(value) and not set(value) & set('{}`"') and len(value.encode()) <= 90


def _is_file_of_a_person(value: str) -> bool:
    return _is_path(value) or (value.startswith("~/") and _is_path_below(value))


def _is_address(value: str) -> bool:
    try:
        return "%" not in value and ipaddress.ip_address(value) is not None
    except ValueError:
        return False


def _is_network(value: str) -> bool:
    try:
        # pf has no masks and no zones
        return bool(re.fullmatch(r"[0-9a-fA-F:.]+/[0-9]{1,3}", value, re.ASCII)) and (
            ipaddress.ip_network(value, strict=False) is not None
        )
    except ValueError:
        return False


def _is_name(value: str) -> bool:
    """A name as DNS and mDNS have it; a macOS computer's may have underscores."""
    label = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    # four numbers would be an address, and are one that is wrong
    whole = re.fullmatch(rf"{label}(\.{label})*\.?", value, re.ASCII) is not None
    return whole and len(value) <= 253 and not re.fullmatch(r"[0-9.]+", value)


def _is_host(value: str) -> bool:
    return _is_address(value) or _is_name(value)


def _is_endpoint(value: str) -> bool:
    """Host and port; an IPv6 address in brackets."""
    host, colon, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return bool(colon) and _is_port(port) and _is_host(bare) and (":" in bare) == (bare != host)


def _is_port(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", value, re.ASCII) is not None and 1 <= int(value) <= 65535


def _is_url(
    value: str, schemes: Sequence[str] = ("http", "https"), may_log_in: bool = False
) -> bool:
    """A complete address that all programs parse alike; `~` and `%` only in its path."""
    if not re.fullmatch(r"[!-~]+", value, re.ASCII) or set(value) & set("\"'<>\\^`{|}$()"):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in schemes
        and _is_host(parts.hostname or "")
        and port != 0
        and (may_log_in or "@" not in parts.netloc)
        and not parts.netloc.endswith(":")
        and not parts.fragment
    )


def _is_proxy(value: str) -> bool:
    return _is_url(value, ("http", "https", "socks5", "socks5h"), may_log_in=True)


def _is_archive(value: str) -> bool:
    return _is_url(value) or (value.startswith("file:///") and _is_path(value[len("file://") :]))


def _is_checksum(value: str) -> bool:
    """`algorithm:digest`, or where the digest can be had."""
    algorithm, colon, digest = value.partition(":")
    sizes = {"sha256": 64, "sha384": 96, "sha512": 128}
    if not colon or algorithm not in sizes:
        return False
    return _is_url(digest) or bool(re.fullmatch(rf"[0-9a-fA-F]{{{sizes[algorithm]}}}", digest))


TEXT = Format(
    "text, without control characters",
    lambda value: all(char.isprintable() or char in "\n\t" for char in value),
)
LINE = Format("one line of text", _is_line)
SECRET = Format(
    "one word of visible ASCII characters",
    lambda value: re.fullmatch(r"[!-~]*", value, re.ASCII) is not None,
    secret=True,
)
PORT = whole(1, 65535, "(a port)")
SECONDS = whole(0, 86400, "seconds")
PATIENCE = whole(1, 86400, "seconds")
COUNT = whole(0, 10000, "")
MEBIBYTES = whole(0, 16 << 20, "MiB")
GIGABYTES = Format("a number from 0 to 1000000, in 10^9 bytes", lambda value: 0 <= value <= 1e6)
PATH = Format("a path from / on, without ..", _is_path)
CADDY_PATH = Format('a path from / on, at most 90 long, without .. and { } ` "', _is_caddy_path)
ROTATED = Format("a path from / on, without .. and white space, at most 900 long", _is_rotated)
PATH_BELOW = Format("a path that does not begin with /, without ..", _is_path_below)
FILE_HERE = Format("a path on the controller", lambda value: bool(value) and _is_line(value))
PERSONS_FILE = Format("a path from / or ~/ on, without ..", _is_file_of_a_person)
HOST = Format("a host name or an IP address without a zone", _is_host)
ADDRESS = Format("an IP address without a zone", _is_address)
NETWORK = Format("a network, such as 192.168.1.0/24", _is_network)
ENDPOINT = Format("host:port", _is_endpoint)
URL = Format("an address such as https://host:port/path", _is_url)
ARCHIVE = Format("an address such as https://host/path, or file:///path", _is_archive)
PROXY = Format("an address such as http://host:3128", _is_proxy)
CHECKSUM = Format("sha256: and 64 hexadecimal digits, or sha256: and an address", _is_checksum)
ACCOUNT = Format(
    "the name of an account or a group in one line, without punctuation such as : / or a comma",
    lambda value: (
        _is_line(value)
        and not set(value) & set(':/,;|<>`"')
        and not value.startswith(("-", "#"))
        and value == value.strip()
        and len(value) <= 255
    ),
)
VERSION = _text(r"[0-9]+(\.[0-9]+)*([-+.]?[A-Za-z0-9]+)*", "a version such as 1.2.3, in quotes")
PYTHON = Format(
    "a Python as uv understands it, such as '3.11'",
    lambda value: (
        _is_path(value) or re.fullmatch(r"[A-Za-z0-9@.+_-]+", value, re.ASCII) is not None
    ),
)
MACOS = _text(r"[0-9]{2}(\.[0-9]+){0,2}", "a version of macOS, such as '14' or '14.4'")
COMMIT = _text(r"[0-9a-f]{40}", "a commit, 40 hexadecimal digits in lower case")
MODEL = _text(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}", "the name of a model")
NAME = _text(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", "a name of letters, digits and . _ -")
LABEL = _text(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    "a name of letters, digits and -, at most 63 long",
)
DOMAIN = Format("a DNS name", _is_name)
TAG = _text(r"tag:[A-Za-z][A-Za-z0-9-]*", "a tag such as tag:closet")
URL_PATH = _text(r"/[A-Za-z0-9._~/*-]*", "a path of an URL from / on")
DURATION = _text(
    r"-?[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)?([0-9]+(ms|s|m))*", "a time such as 30m, or -1 for ever"
)
SIZE = _text(r"auto|[0-9]+(\.[0-9]+)? ?[KMGT]i?B", "a size such as 20GB, or auto")
ANY = Format("", lambda value: True)

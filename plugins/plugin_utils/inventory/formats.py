# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a value of each of our variables has to look like, beyond its type.

Pure. A role's argument specification says the type; Ansible converts text to it for its own check
alone, and knows no ranges. Here is one format for every option, also for the elements of a list,
and one sentence for a value that does not fit. A value with a line end could add a line to a file
of root's, so no format but TEXT takes one.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# Words that Ansible's filter `bool` takes.
YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")
SHOWN = 60


@dataclass(frozen=True)
class Format:
    """`right` completes "has to be …"; a secret one is never shown."""

    right: str
    fits: Callable[[Any], bool]
    secret: bool = False


def _whole(low: int, high: int, unit: str) -> Format:
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
    """A complete address that nobody reads as something else; `~` and `%` only in its path."""
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
PORT = _whole(1, 65535, "(a port)")
SECONDS = _whole(0, 86400, "seconds")
PATIENCE = _whole(1, 86400, "seconds")
COUNT = _whole(0, 10000, "")
MEBIBYTES = _whole(0, 16 << 20, "MiB")
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

# The first pattern that an option's name matches.
OPTIONS: tuple[tuple[str, Format], ...] = (
    # one by one, where the name's end tells less than its meaning
    ("closet_api_key", ANY),  # keys have a check of their own, which also knows the files
    ("closet_client_key", ANY),
    ("closet_tailnet", DOMAIN),
    ("closet_tailnet_name", LABEL),
    ("closet_tailnet_server", URL),
    ("closet_url_host", HOST),
    ("closet_host", NAME),
    ("closet_profile", NAME),
    ("gateway_upstream", ENDPOINT),
    ("gateway_upstream_health", URL_PATH),
    ("gateway_api_paths", URL_PATH),
    ("gateway_base_path", CADDY_PATH),
    ("models_confirm_command", LINE),
    ("models_endpoint", URL),
    ("models_proxy", PROXY),
    ("models_peers", URL),
    ("models_remove", MODEL),
    ("models_share_address", ADDRESS),
    ("models_ca_bundle", PATH),
    ("models_hub_cache", PATH),
    ("models_python", PATH),
    ("models_connections", _whole(1, 64, "")),
    ("models_memory_ceiling_bytes", _whole(0, 1 << 50, "bytes")),
    ("ollama_registry", ENDPOINT),
    ("ollama_url", ARCHIVE),
    ("ollama_keep_alive", DURATION),
    ("ollama_context_tokens", _whole(1, 1 << 24, "tokens")),
    ("ollama_parallel", _whole(0, 1000, "")),
    ("omlx_pin", COMMIT),
    ("omlx_disk_cache_size", SIZE),
    ("omlx_ttl_seconds", _whole(0, 31_536_000, "seconds")),
    ("omlx_max_concurrent_requests", _whole(1, 1000, "")),
    ("omlx_log_days", _whole(1, 3650, "days")),
    ("mlx_lm_max_tokens", _whole(1, 1 << 24, "tokens")),
    ("mlx_lm_prompt_cache_size", _whole(0, 10000, "")),
    ("mcp_secrets_folder", FILE_HERE),
    ("mcp_vscode_folder", PATH_BELOW),
    ("opencode_registry", URL),
    ("opencode_instructions", TEXT),
    ("opencode_instruction_files", PERSONS_FILE),
    ("power_interval_s", _whole(10, 3600, "seconds")),
    ("preflight_minimum_macos", MACOS),
    ("tailscale_hostname", LABEL),
    ("tailscale_login_server", URL),
    ("tailscale_url", ARCHIVE),
    ("wired_memory_limit_mb", MEBIBYTES),
    # by what the name ends in
    ("*_port", PORT),
    ("*_*_timeout_s", PATIENCE),
    ("*_s", SECONDS),
    ("*_limit_mb", MEBIBYTES),
    ("*_gb", GIGABYTES),
    ("*_size_kib", _whole(1, 1 << 30, "KiB")),
    ("*_count", _whole(0, 1000, "")),
    ("*_keep", COUNT),
    ("*_addresses", HOST),
    ("*_networks", NETWORK),
    ("*_programs", PATH),
    ("*_keys", SECRET),
    ("*_key", SECRET),
    ("*_token", SECRET),
    ("*_tags", TAG),
    ("*_owners", LINE),
    ("*_flags", LINE),
    ("*_url", URL),
    ("*_checksum", CHECKSUM),
    ("*_user", ACCOUNT),
    ("*_group", ACCOUNT),
    ("*_account", ACCOUNT),
    ("*_home", PATH),
    ("*_path", PATH),
    ("*_dir", PATH),
    ("*_store", PATH),
    ("*_launchd_log", ROTATED),
    ("*_log", PATH),
    ("*_requirements", FILE_HERE),
    ("*_version", VERSION),
    ("*_python", PYTHON),
    ("*_model", MODEL),
    ("*_models", MODEL),
    ("*_answer", MODEL),
    ("*_closet_name", LINE),
    ("*_refusal", LINE),
)

# These may be empty although their default is not: an empty value means something of its own.
MAY_BE_EMPTY = ("models_hub_cache", "tailscale_hostname")


def format_of(name: str) -> Format | None:
    """The format of an option's text or number, or of its elements; None: it has none."""
    return next((its for pattern, its in OPTIONS if fnmatch.fnmatchcase(name, pattern)), None)


def problems(name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    """A sentence for what is wrong with `value`; `option` is its argument specification.

    What Ansible and our roles convert is fine: `"8000"` and `-e closet_port=8000` for a number,
    `yes` for a boolean, a word for a list of one.
    """
    if value is None and option.get("default", "") is None:
        return
    kind = str(option.get("type", "str"))
    if kind == "list":
        yield from _list_problems(name, option, value)
    elif kind == "dict":
        if not isinstance(value, Mapping):
            yield f"{name} is {_told(name, value)}, and it has to be a mapping"
    else:
        yield from _one_problem(name, name, kind, option, value)


def converted(option: Mapping[str, Any], value: Any) -> Any:
    """A value that fits, as its type: what our roles' filters make of it."""
    kind = str(option.get("type", "str"))
    if value is None:
        return value
    if kind == "list":
        return list(value) if isinstance(value, (list, tuple)) else [value]
    if kind == "bool":
        return value if isinstance(value, bool) else str(value).lower() in YES
    if kind in ("int", "float"):
        return int(value) if kind == "int" else float(value)
    return str(value) if kind == "str" else value


def _list_problems(name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = str(option.get("elements", "str"))
    if kind == "dict":
        if not isinstance(value, (list, tuple)):
            yield f"{name} is {_told(name, value)}, and it has to be a list of mappings"
            return
        for number, element in enumerate(value):
            if not isinstance(element, Mapping):
                yield f"{name}[{number}] is {_told(name, element)}, and it has to be a mapping"
        return
    if isinstance(value, Mapping) or value is None:
        yield f"{name} is {_told(name, value)}, and it has to be a list"
        return
    for number, element in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        yield from _one_problem(name, f"{name}[{number}]", kind, option, element)


def _one_problem(
    name: str, place: str, kind: str, option: Mapping[str, Any], value: Any
) -> Iterator[str]:
    its = format_of(name) or ANY
    right = its.right
    if option.get("choices"):
        right = f"one of {', '.join(map(str, option['choices']))}"
        good = isinstance(value, str) and value in option["choices"]
    elif kind == "bool":
        right = "true or false"
        good = isinstance(value, bool) or str(value).lower() in (*YES, *NO)
    elif kind in ("int", "float"):
        number = _number(value, kind)
        good = number is not None and its.fits(number)
    else:
        text = _as_text(value)
        right = right or "text"
        may_be = option.get("default", "") == "" and not option.get("required")
        empty = text == "" and (may_be or name in MAY_BE_EMPTY)
        good = text is not None and (empty or its.fits(text))
        if isinstance(value, float):
            right += " (put it in quotes: YAML reads a number and drops its last zeros)"
    if not good:
        yield f"{place} is {_told(name, value)}, and it has to be {right}"


def _number(value: Any, kind: str) -> float | None:
    """What `| int` or `| float` make of it, for text that is a number as a whole."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) and (kind == "float" or value.is_integer()) else None
    pattern = r"-?[0-9]{1,18}" if kind == "int" else r"-?[0-9]{1,18}(\.[0-9]{1,18})?"
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        return None
    return int(value) if kind == "int" else float(value)


def _as_text(value: Any) -> str | None:
    """Text; a whole number as its digits, as in `preflight_minimum_macos: 14`."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _told(name: str, value: Any) -> str:
    its = format_of(name)
    if (its is not None and its.secret) or name.endswith(("_key", "_keys", "_token", "_secrets")):
        return "not shown, since it is a secret"
    return _shown(value)


def _shown(value: Any) -> str:
    """The value as YAML would have it, in one line and not at length."""
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    # what stands before the @ of an address may be a password
    text = re.sub(r"^([a-z][a-z0-9+.-]*://)?.*@", r"\1…@", str(value), flags=re.I | re.S)
    words = repr(text) if isinstance(value, str) else text.lower()
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"

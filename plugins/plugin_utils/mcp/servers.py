# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One MCP server as the inventory declares it, read strictly; pure.

Every error begins with the server's name. Names are prefixes of the tools'
names that a model sees: `<name>_<tool>` with opencode and Open WebUI, `<name>__<tool>` with omlx,
`mcp__<name>__<tool>` in the Claude style. Without an underscore in a name no two can be mixed up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union
from urllib.parse import urlsplit

from ansible_collections.closet.inference.plugins.plugin_utils.inventory.names import suggestion

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Several clients end a tool's name at 64 characters; 24 leave it 33 behind the longest prefix.
LONGEST_NAME = 24
LONGEST_TOOL = 64
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# What a shell or the loader keeps for itself: for the Claude style, secrets are variables.
RESERVED_NAME = re.compile(
    r"(BASH|ZSH|DYLD|LD|LC)(_[A-Z0-9_]*)?|BASHOPTS|BASHPID|HIST(FILE|FILESIZE|SIZE|CMD|CONTROL|CHARS)"
    r"|PS[0-9]|OPT(ARG|IND|ERR)|NODE_OPTIONS|[A-Z]*PATH|E?[UG]ID|PPID|HOME|IFS|ENV|SHELL|SHELLOPTS"
    r"|PWD|OLDPWD|USER|LOGNAME|USERNAME|HOST|HOSTNAME|HOSTTYPE|MACHTYPE|OSTYPE|CPUTYPE|VENDOR|LANG"
    r"|TERM|TMPDIR|S?RANDOM|EPOCH(REALTIME|SECONDS)|SECONDS|LINENO|COLUMNS|LINES|GROUPS|DIRSTACK"
    r"|FUNCNAME|PIPESTATUS|REPLY|ARGC|TTY|TTYIDLE|SHLVL|R?PROMPT[0-9]?|ZDOTDIR"
)
HEADER = re.compile(r"[A-Za-z0-9-]+")
TRANSPORTS = ("stdio", "http", "sse")
FIELDS = (
    *("command", "args", "env", "cwd", "url", "headers", "transport", "timeout_s"),
    *("for", "on_closet", "enabled", "oauth", "description"),
)
# Headers that say who asks: their values are secrets, whatever the inventory calls them.
SECRET_HEADERS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie")
ALL_LAPTOPS = "all"


@dataclass(frozen=True)
class Secret:
    """A value that is elsewhere, by name, and the text before it ("Bearer ")."""

    name: str
    prefix: str = ""


Value = Union[str, Secret]


@dataclass(frozen=True)
class Server:
    """One server; `laptops` None is every laptop. Times are seconds."""

    name: str
    transport: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, Value] = field(default_factory=dict)
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, Value] = field(default_factory=dict)
    timeout_s: float = 30
    laptops: tuple[str, ...] | None = None
    on_closet: bool = False
    enabled: bool = True
    oauth: bool = False
    description: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""
        values = (*self.env.values(), *self.headers.values())
        return tuple(dict.fromkeys(each.name for each in values if isinstance(each, Secret)))


class ServersRefusedError(ValueError):
    """The declarations cannot be meant; `errors` has one for each mistake."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(self.errors))


def read_servers(given: Any) -> tuple[Server, ...]:
    """Every server of `mcp_servers`, by name; raises ServersRefusedError with all errors."""
    servers, errors = read_each(given)
    if errors:
        raise ServersRefusedError(errors)
    return servers


def read_each(given: Any) -> tuple[tuple[Server, ...], list[str]]:
    """The servers that can be understood, by name, and an error for each mistake."""
    if not isinstance(given, Mapping):
        return (), ["mcp_servers is not a dictionary of servers by name"]
    errors = _collisions(list(given))
    servers = []
    for name in sorted(given, key=str):
        found = list(_errors(str(name), given[name]))
        errors += [f"mcp_servers.{name}: {problem}" for problem in found]
        if not found:
            servers.append(_server(str(name), given[name]))
    return tuple(servers), errors


def _collisions(names: list[Any]) -> list[str]:
    """Clients make the same prefix of what differs in case or punctuation only."""
    seen: dict[str, str] = {}
    found = []
    for name in map(str, names):
        prefix = re.sub(r"[^a-z0-9]", "_", name.lower())
        if prefix in seen:
            found.append(
                f"mcp_servers.{name}: its tools would have the same names as those of "
                f"{seen[prefix]}, since clients make {prefix}_ of both: rename one"
            )
        seen.setdefault(prefix, name)
    return found


def _errors(name: str, given: Any) -> Iterable[str]:
    yield from _name_errors(name)
    if not isinstance(given, Mapping):
        yield "it is not a dictionary: say command or url in it"
        return
    for key in given:
        if key not in FIELDS:
            yield f"there is no field {key}{suggestion(str(key), FIELDS)}"
    yield from _kind_errors(given)
    yield from _text_errors(given)
    yield from _value_errors(given)
    yield from _other_errors(given)


def _name_errors(name: str) -> Iterable[str]:
    if not NAME.fullmatch(name):
        yield (
            "a name is made of a-z, 0-9 and - inside, since clients put it before the names of the "
            "server's tools"
        )
    if len(name) > LONGEST_NAME:
        yield (
            f"the name has {len(name)} characters, and {LONGEST_NAME} are the most: clients put it "
            f"before each tool's name and cut that at {LONGEST_TOOL}"
        )


def _kind_errors(given: Mapping[str, Any]) -> Iterable[str]:
    command, url = given.get("command"), given.get("url")
    transport = given.get("transport")
    if not command and not url:
        yield "it has neither command nor url: a program on the host, or an address"
        return
    if command and url:
        yield "it has both command and url: it is one or the other"
        return
    if transport is not None and transport not in TRANSPORTS:
        yield (
            f"transport is '{transport}', it can be stdio, http or sse"
            f"{suggestion(str(transport), TRANSPORTS)}"
        )
    elif transport is not None and (transport == "stdio") != bool(command):
        yield f"transport is {transport}, and that goes with {'url' if command else 'command'}"
    misplaced = ("headers", "oauth") if command else ("args", "env", "cwd")
    for key in misplaced:
        if given.get(key):
            what = "a program on the host" if command else "an address"
            yield f"it is {what}, which has no {key}"


def _text_errors(given: Mapping[str, Any]) -> Iterable[str]:
    for key in ("command", "cwd", "url", "description"):
        if given.get(key) is not None and not isinstance(given[key], str):
            yield f"{key} is not text"
    command, args = given.get("command"), given.get("args")
    if isinstance(command, str) and " " in command and not args and "/" not in command:
        yield f"command is '{command}': it is the program alone, its words go into args"
    texts = isinstance(args, list) and all(isinstance(word, str) for word in args)
    if args is not None and not texts:
        yield (
            "args is a list of texts: quote numbers, and put secrets into env, since arguments are "
            "seen by every account on the host"
        )
    cwd = given.get("cwd")
    if isinstance(cwd, str) and cwd and not cwd.startswith("/"):
        yield f"cwd is '{cwd}', and has to begin with /"
    if isinstance(given.get("url"), str) and given["url"]:
        yield from _url_errors(given["url"])


def _url_errors(url: str) -> Iterable[str]:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good or re.search(r"\s", url):
        yield f"url is '{url}', which is no address such as http://attic.local:8090/mcp"
    elif parts.username or parts.password:
        yield "url has a name or password in it: use headers with a secret"


def _value_errors(given: Mapping[str, Any]) -> Iterable[str]:
    for key, pattern, what in (("env", VARIABLE, "variable"), ("headers", HEADER, "header")):
        values = given.get(key) or {}
        if not isinstance(values, Mapping):
            yield f"{key} is not a dictionary"
            continue
        for name, value in values.items():
            if not pattern.fullmatch(str(name)):
                yield f"{key}: '{name}' cannot be the name of a {what}"
            yield from (f"{key}.{name} {wrong}" for wrong in _one_value(str(name), value, key))


def _one_value(name: str, value: Any, key: str) -> Iterable[str]:
    if isinstance(value, Mapping):
        yield from _secret_errors(value)
    elif not isinstance(value, str):
        yield "is neither text nor {secret: NAME}: quote it"
    elif "\n" in value:
        yield "has a line feed in it"
    elif key == "headers" and name.lower() in SECRET_HEADERS:
        yield (
            "would be a secret in a file that every account can read: write {secret: NAME}, with "
            "prefix: 'Bearer ' if it needs that"
        )


def _secret_errors(value: Mapping[str, Any]) -> Iterable[str]:
    unknown = [str(key) for key in value if key not in ("secret", "prefix")]
    for key in unknown:
        yield f"has no field {key}{suggestion(key, ('secret', 'prefix'))}"
    if unknown and "secret" not in value:
        return
    name = str(value.get("secret", ""))
    if not SECRET_NAME.fullmatch(name):
        yield f"refers to the secret '{name}': a secret's name is made of A-Z, 0-9 and _"
    elif RESERVED_NAME.fullmatch(name):
        yield f"refers to the secret '{name}', a variable that shells use themselves: rename it"
    if not isinstance(value.get("prefix", ""), str) or "\n" in value.get("prefix", ""):
        yield "has a prefix that is not text"


def _other_errors(given: Mapping[str, Any]) -> Iterable[str]:
    timeout = given.get("timeout_s", 30)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0:
        yield f"timeout_s is {timeout!r}, and has to be a number of seconds above 0"
    for key in ("on_closet", "enabled", "oauth"):
        if not isinstance(given.get(key, False), bool):
            yield f"{key} is {given[key]!r}, and has to be true or false"
    laptops = given.get("for", ALL_LAPTOPS)
    if laptops != ALL_LAPTOPS and (
        not isinstance(laptops, list) or not all(isinstance(name, str) for name in laptops)
    ):
        yield f"for is {laptops!r}: it is a list of laptops, or {ALL_LAPTOPS}"
    if given.get("on_closet") and given.get("transport") == "sse" and given.get("headers"):
        yield "omlx sends no headers over sse: use transport http, or leave on_closet out"


def _server(name: str, given: Mapping[str, Any]) -> Server:
    laptops = given.get("for", ALL_LAPTOPS)
    return Server(
        name=name,
        transport=given.get("transport") or ("stdio" if given.get("command") else "http"),
        command=given.get("command") or "",
        args=tuple(given.get("args") or ()),
        env={key: _value(value) for key, value in (given.get("env") or {}).items()},
        cwd=given.get("cwd") or "",
        url=given.get("url") or "",
        headers={key: _value(value) for key, value in (given.get("headers") or {}).items()},
        timeout_s=given.get("timeout_s", 30),
        laptops=None if laptops == ALL_LAPTOPS else tuple(laptops),
        on_closet=given.get("on_closet", False),
        enabled=given.get("enabled", True),
        oauth=given.get("oauth", False),
        description=given.get("description") or "",
    )


def _value(given: Any) -> Value:
    if isinstance(given, Mapping):
        return Secret(str(given["secret"]), str(given.get("prefix", "")))
    return str(given)

"""launchctl: arguments in, one request to launchd, its answer out.

Started very often, so it imports little and thinks nothing; launchd words the answers.
Usage lines as in ProcursusTeam/launchctl 1.2.0; the four lines of an unrecognised target as a
re-implementation quotes them from macOS.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from . import errors, targets, wire

Arguments = list[str]
Message = dict[str, Any]

DOMAIN = "<domain-target>"
SERVICE = "<service-target>"
USAGE: dict[str, tuple[str, str]] = {
    "bootstrap": (
        "Bootstraps a domain or a service into a domain.",
        f"{DOMAIN} [service-path, service-path2, ...]",
    ),
    "bootout": (
        "Tears down a domain or removes a service from a domain.",
        f"{DOMAIN} [service-path1, service-path2, ...] | {SERVICE}",
    ),
    "enable": ("Enables an existing service.", SERVICE),
    "disable": ("Disables an existing service.", SERVICE),
    "kickstart": ("Forces an existing service to start.", f"[-k] [-p] {SERVICE}"),
    "kill": ("Sends a signal to the service instance.", f"<signal-number|signal-name> {SERVICE}"),
    "blame": ("Prints the reason a service is running.", SERVICE),
    "print": ("Prints a description of a domain or service.", f"{DOMAIN} | {SERVICE}"),
    "print-disabled": ("Prints which services are disabled.", DOMAIN),
    "list": ("Lists information about services.", "[service-name]"),
    "load": ("Bootstraps a service or directory of services.", "<service-path, ...>"),
    "unload": ("Unloads a service or directory of services.", "<service-path, ...>"),
    "start": ("Starts the specified service.", "<service-name>"),
    "stop": ("Stops the specified service if it is running.", "<service-name>"),
    "remove": ("Unloads the specified service name.", "<service-name>"),
    "reboot": ("Initiates a system reboot of the specified type.", "[system|halt]"),
    "managername": ("Prints the name of this domain manager.", ""),
    "managerpid": ("Prints the PID of the launchd controlling the session.", ""),
    "error": ("Prints a description of an error.", "[posix|mach|bootstrap] <code>"),
    "version": ("Prints the launchd version.", ""),
    "help": ("Prints the usage for a given subcommand.", "<subcommand>"),
}

# A number means what it means on Darwin; these are other signals on Linux.
DARWIN_SIGNALS = {10: 7, 12: 31, 16: 23, 17: 19, 18: 20, 19: 18, 20: 17, 23: 29, 30: 10, 31: 12}


class UsageError(Exception):
    """The arguments do not fit: usage on stderr, exit 64."""


class TargetError(UsageError):
    """A word that should be a target is none."""


def _flags(arguments: Arguments, allowed: str) -> tuple[list[str], Arguments]:
    flags: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        word = rest.pop(0)
        if word == "--wait" and "W" in allowed:
            flags.append("wait")
        elif word.startswith("--") or set(word[1:]) - set(allowed):
            raise UsageError
        else:
            flags += word[1:]
    return flags, rest


def _parsed(word: str) -> Message:
    target = targets.parse(word)
    if target is None:
        raise TargetError
    return dict(zip(("kind", "number", "label"), target, strict=True))


def _service(word: str) -> Message:
    message = _parsed(word)
    if message["label"] is None:
        raise TargetError
    return message


def _domain(word: str) -> Message:
    message = _parsed(word)
    if message["label"] is not None:
        raise TargetError
    return message


def _paths(words: Arguments) -> list[str]:
    return [os.path.join(os.getcwd(), word) for word in words]  # noqa: PTH109, PTH118 - speed


def _only(arguments: Arguments, count: int) -> Arguments:
    if len(arguments) < count:
        raise UsageError
    return arguments


def _bootstrap(arguments: Arguments) -> Message:
    target, *paths = _only(arguments, 1)
    return {**_domain(target), "paths": _paths(paths)}


def _bootout(arguments: Arguments) -> Message:
    flags, rest = _flags(arguments, "W")
    target, *paths = _only(rest, 1)
    message = _parsed(target)
    return {**message, "paths": [] if message["label"] else _paths(paths), "flags": flags}


def _kickstart(arguments: Arguments) -> Message:
    flags, rest = _flags(arguments, "kps")
    return {**_service(_only(rest, 1)[0]), "flags": flags}


def _kill(arguments: Arguments) -> Message:
    name, target = _only(arguments, 2)[:2]
    return {**_service(target), "signal": signal_number(name)}


def signal_number(word: str) -> int:
    """Understand `TERM`, `SIGTERM`, `-TERM` and `15`; return this kernel's number."""
    name = word.removeprefix("-").upper().removeprefix("SIG")
    if name.isdigit() and 0 < int(name) < 32:
        return DARWIN_SIGNALS.get(int(name), int(name))
    import signal  # only this verb needs it

    number = getattr(signal, f"SIG{name}", 0)
    if not number:
        sys.stderr.write("Invalid signal.\n")
        raise UsageError
    return int(number)


def _load(arguments: Arguments) -> Message:
    flags, rest = _flags(arguments, "wF")
    return {"paths": _paths(_only(rest, 1)), "flags": flags}


def _label(arguments: Arguments) -> Message:
    return {"label": _only(arguments, 1)[0]}


PARSERS: dict[str, Callable[[Arguments], Message]] = {
    "bootstrap": _bootstrap,
    "bootout": _bootout,
    "enable": lambda arguments: _service(_only(arguments, 1)[0]),
    "disable": lambda arguments: _service(_only(arguments, 1)[0]),
    "kickstart": _kickstart,
    "kill": _kill,
    "blame": lambda arguments: _service(_only(arguments, 1)[0]),
    "print": lambda arguments: _parsed(_only(arguments, 1)[0]),
    "print-disabled": lambda arguments: _domain(_only(arguments, 1)[0]),
    "list": lambda arguments: {"label": arguments[0] if arguments else None},
    "load": _load,
    "unload": _load,
    "start": _label,
    "stop": _label,
    "remove": _label,
    "reboot": lambda arguments: {"flags": arguments[:1]},
    "managername": lambda arguments: {},
    "version": lambda arguments: {},
}


def parse(verb: str, arguments: Arguments) -> Message:
    """Turn one call into a request for launchd; raises UsageError or TargetError."""
    return {"verb": verb, **PARSERS[verb](arguments)}


def ask(message: Message) -> Message:
    """Send a request to launchd and wait for its answer, as long as it takes."""
    path = os.environ.get(wire.SOCKET_VARIABLE, wire.SOCKET)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(wire.encode(message))
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return wire.decode(b"".join(chunks))


def _help() -> str:
    lines = ["Usage: launchctl <subcommand> ... | help [subcommand]", "", "Subcommands:"]
    return "\n".join([*lines, *(f"\t{name:<16}{text}" for name, (text, _) in USAGE.items()), ""])


def _error(arguments: Arguments) -> int:
    words = [word for word in arguments if word not in ("posix", "mach", "bootstrap")]
    try:
        code = int(_only(words, 1)[0], 0)
    except ValueError:
        raise UsageError from None
    sys.stdout.write(f"{code}: {errors.message(code)}\n")
    return 0


def _local(verb: str, arguments: Arguments) -> int | None:
    """Answer what launchd is not needed for."""
    if verb == "help":
        if arguments and arguments[0] in USAGE:
            sys.stderr.write(f"Usage: launchctl {arguments[0]} {USAGE[arguments[0]][1]}\n")
        else:
            sys.stdout.write(_help())
        return 0
    if verb == "error":
        return _error(arguments)
    if verb == "managerpid":
        sys.stdout.write("1\n")
        return 0
    return None


def _usage(verb: str, problem: UsageError) -> int:
    usage = f"Usage: launchctl {verb} {USAGE[verb][1]}\n"
    if isinstance(problem, TargetError):
        sys.stderr.write(
            f"Unrecognized target specifier.\n{usage}"
            "<service-target> takes a form of <domain-target>/<service-id>.\n"
            "Please refer to `man launchctl` for explanation of the <domain-target> specifiers.\n"
        )
    else:
        sys.stderr.write(usage)
    return errors.EX_USAGE


def main(arguments: Arguments) -> int:
    """Run one launchctl command and return its exit code."""
    if not arguments:
        sys.stdout.write(_help())
        return 0
    verb, *rest = arguments
    if verb not in USAGE:
        sys.stderr.write(f"Unrecognized subcommand: {verb}\n{_help()}")
        return 1
    try:
        answered = _local(verb, rest)
        if answered is not None:
            return answered
        message = parse(verb, rest)
    except UsageError as problem:
        return _usage(verb, problem)
    try:
        reply = ask({**message, "tty": sys.stdout.isatty()})
    except (OSError, ValueError) as problem:
        # Cannot happen on a Mac, where launchd is always there.
        sys.stderr.write(f"launchctl: the lab's launchd does not answer: {problem}\n")
        return 69
    sys.stdout.write(str(reply["out"]))
    sys.stderr.write(str(reply["err"]))
    return int(reply["rc"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

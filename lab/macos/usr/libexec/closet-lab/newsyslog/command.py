"""newsyslog's command line: which files to look at, which of them are due, in which order."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import mac

from newsyslog.config import read
from newsyslog.decide import reason_to_rotate, worklist
from newsyslog.entry import Entry, Options, size_kb
from newsyslog.rotate import Rotation
from newsyslog.when import WhenError, parse_iso

_USAGE = (
    "usage: newsyslog [-CFNnrsv] [-a directory] [-d directory] [-f config-file]\n"
    "                 [ [-R requestor] filename ... ]\n"
)


def main(arguments: list[str]) -> int:
    """Run newsyslog with `arguments`; return its exit code."""
    options, names = parse(arguments)
    if options.needs_root and not mac.is_root():
        mac.fail("must have root privs")
    rotation = Rotation(options)
    for entry in worklist(read(options), names):
        consider(entry, options, rotation)
    rotation.finish()
    return 0


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """Read the command line; a wrong one prints the usage and leaves with 1."""
    try:
        given, names = getopt.getopt(arguments, "a:d:f:nrsvCD:FNR:")
    except getopt.GetoptError as err:
        mac.warn(f"illegal option -- {err.opt}")
        _usage()
    options = Options(now=datetime.now())
    for flag, value in given:
        options = _SETTERS[flag](options, value)
    if options.force and options.no_rotate:
        mac.warn("Only one of -F and -N may be specified.")
        _usage()
    if options.requestor is not None and not names:
        mac.warn("At least one filename must be given when -R is specified.")
        _usage()
    return options, names


def consider(entry: Entry, options: Options, rotation: Rotation) -> None:
    """Create, rotate or leave one log, telling -v about it."""

    def say(text: str) -> None:
        if options.verbose:
            sys.stdout.write(text)

    say(f"{entry.label}: ")
    if size_kb(entry.log) is not None:
        reason = reason_to_rotate(entry, options, say)
        if reason is None:
            return
        if options.dry and not options.verbose:
            print(f"{entry.label}: trimming")
        rotation.rotate(entry, reason)
        return
    if options.create > 1 or (options.create and entry.create):
        say("does not exist -> will create.\n")
        rotation.create(entry, "logfile first created", first=True)
        return
    hint = ""
    if entry.create:
        hint = " (no -C option)"
    elif options.create:
        hint = " (no C flag)"
    say(f"does not exist, skipped{hint}.\n")


def _usage() -> None:
    sys.stderr.write(_USAGE)
    sys.exit(1)


def _debug(options: Options, value: str) -> Options:
    if value == "ats":
        return replace(options, show_at_times=True)
    if value in ("neworder", "oldorder"):
        mac.warn("NOTE: newsyslog always uses 'neworder'.")
        return options
    if not value.startswith("TN="):
        mac.warn(f"Unknown -D (debug) option: '{value}'")
        _usage()
    try:
        now = parse_iso(value[3:], options.now).at
    except WhenError:
        mac.warn(f"Malformed time given on -D {value}")
        _usage()
    sys.stderr.write(f"Debug: Running as if TimeNow is {now.ctime()}\n")
    return replace(options, now=now)


def _requestor(value: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\t" else "." for letter in value)


_SETTERS: dict[str, Callable[[Options, str], Options]] = {
    "-a": lambda options, value: replace(options, archive=value),
    "-d": lambda options, value: replace(options, destination=value),
    "-f": lambda options, value: replace(options, config=value),
    "-n": lambda options, _: replace(options, dry=True),
    "-r": lambda options, _: replace(options, needs_root=False),
    "-s": lambda options, _: replace(options, silent=True),
    "-v": lambda options, _: replace(options, verbose=options.verbose + 1),
    "-C": lambda options, _: replace(options, create=options.create + 1),
    "-D": _debug,
    "-F": lambda options, _: replace(options, force=True),
    "-N": lambda options, _: replace(options, no_rotate=True),
    "-R": lambda options, value: replace(options, requestor=_requestor(value)),
}

"""pfctl: anchors with their tables and rules, and who has asked for pf to be on.

State is lost at boot, as pf's is. It stops no packet: the lab's Macs have no such filter. It reads
tables and block or pass rules, the words of pf.conf(5) that this project uses, and no others.
Sources: pfctl(8) and pf.conf(5) of macOS; Apple's /etc/pf.conf; captures of the ALTQ lines, of `-E`
and of a syntax error. That `-n` needs root too, and the number a token has, is unverified.
"""

from __future__ import annotations

import re
import sys

import mac

_HINT = (
    "pfctl: Use of -f option, could result in flushing of rules\n"
    "present in the main ruleset added by the system at startup.\n"
    "See /etc/pf.conf for further details.\n"
)
_ALTQ = "No ALTQ support in kernel\nALTQ related functions disabled"
_ADDRESS = r"[0-9a-fA-F:.]+(/\d+)?"
_TABLE = re.compile(rf"table <(\w+)>( persist| const)* \{{ ?{_ADDRESS}(,? {_ADDRESS})* ?\}}")
_END = rf"(any|!? ?<\w+>|!? ?{_ADDRESS})"
_RULE = re.compile(
    r"(block( drop| return)?|pass)( in| out)?( quick)?( on (! )?\w+)?( proto \w+)?"
    rf" from {_END}( port (= )?\d+)? to {_END}( port (= )?\d+)?"
)
_VALUED = "afFsX"
_FLAGS = "nEedqv"


def main(arguments: list[str]) -> int:
    """Run pfctl with `arguments`."""
    given = _options(arguments)
    if given is None:
        return _usage()
    if not mac.is_root():
        mac.fail("/dev/pf: Permission denied")
    mac.lock("pf")
    state = {"enabled": False, "tokens": [], "anchors": {}, **mac.since_boot("pf")}
    status = _run(given, state)
    mac.keep_until_reboot("pf", state)
    return status


def _run(given: dict[str, str], state: dict[str, object]) -> int:
    anchor = given.get("a", "")
    if "f" in given:
        loaded = _load(given["f"], quiet="n" in given)
        if loaded is None:
            return 1
        if "n" not in given:
            _anchors(state)[anchor] = loaded
    if "E" in given or "e" in given:
        _enable(state, counted="E" in given)
    if "X" in given:
        return _release(state, given["X"])
    if "d" in given:
        state.update(enabled=False, tokens=[])
        print("pf disabled", file=sys.stderr)
    if "F" in given:
        return _flush(state, anchor, given["F"])
    if "s" in given:
        return _show(state, anchor, given["s"])
    return 0


def _options(arguments: list[str]) -> dict[str, str] | None:
    """Return option → value, as getopt would, or None for what it would refuse."""
    given: dict[str, str] = {}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            return None
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _VALUED:
                if not letters and not words:
                    return None
                given[letter] = letters or words.pop(0)
                letters = ""
            elif letter in _FLAGS:
                given[letter] = ""
            else:
                return None
    return given or None


def _anchors(state: dict[str, object]) -> dict[str, dict[str, list[str]]]:
    anchors = state["anchors"]
    return anchors if isinstance(anchors, dict) else {}


def _load(name: str, quiet: bool) -> dict[str, list[str]] | None:
    """Read a file of rules; None when pf would not take it."""
    if not quiet:
        sys.stderr.write(_HINT + "\n")
    try:
        with open(mac.path(name), encoding="utf-8") as file:  # noqa: PTH123 - see mac.py
            lines = file.read().splitlines()
    except OSError as error:
        mac.fail(f"{name}: {error.strerror}")
    made: dict[str, list[str]] = {"tables": [], "rules": []}
    wrong = False
    for number, line in enumerate(lines, start=1):
        words = " ".join(line.split("#")[0].split())
        table = _TABLE.fullmatch(words)
        if table:
            made["tables"].append(table[1])
        elif _RULE.fullmatch(words):
            made["rules"].append(re.sub(r"port (?==)?(\d)", r"port = \1", words))
        elif words:
            wrong = True
            print(f"{name}:{number}: syntax error", file=sys.stderr)
    if wrong:
        mac.fail("Syntax error in config file: pf rules not loaded")
    _warn_altq()
    return made


def _enable(state: dict[str, object], counted: bool) -> None:
    print("pfctl: pf already enabled" if state["enabled"] else "pf enabled", file=sys.stderr)
    state["enabled"] = True
    tokens = state["tokens"]
    if counted and isinstance(tokens, list):
        token = str(17000000000000000000 + len(tokens) + 1)
        tokens.append(token)
        print(f"Token : {token}", file=sys.stderr)


def _release(state: dict[str, object], token: str) -> int:
    tokens = state["tokens"]
    if not isinstance(tokens, list) or token not in tokens:
        mac.warn("DIOCXSTOPREF: Invalid argument")
        return 1
    tokens.remove(token)
    if not tokens:
        state["enabled"] = False
        print("disable request successful. pf disabled", file=sys.stderr)
    else:
        left = f"disable request successful. {len(tokens)} more pf enable reference(s)"
        print(f"{left} remaining, pf still enabled.", file=sys.stderr)
    return 0


def _flush(state: dict[str, object], anchor: str, what: str) -> int:
    kinds = {"rules": ("rules",), "Tables": ("tables",), "all": ("rules", "tables")}
    if what not in kinds:
        return _usage()
    _warn_altq()
    held = _anchors(state).get(anchor, {})
    for kind in kinds[what]:
        held[kind] = []
    words = {"rules": "rules cleared", "Tables": "1 tables deleted."}
    print(words.get(what, "rules cleared"), file=sys.stderr)
    return 0


def _show(state: dict[str, object], anchor: str, what: str) -> int:
    _warn_altq()
    held = _anchors(state).get(anchor, {})
    if what in ("rules", "r"):
        lines = held.get("rules", [])
    elif what == "Tables":
        lines = held.get("tables", [])
    elif what == "info":
        status = "Enabled for 0 days 00:00:01" if state["enabled"] else "Disabled"
        lines = [f"{f'Status: {status}':<44}  Debug: Urgent"]
    elif what == "References":
        tokens = state["tokens"]
        lines = list(tokens) if isinstance(tokens, list) else []
    else:
        return _usage()
    for line in lines:
        print(line)
    return 0


def _warn_altq() -> None:
    print(_ALTQ, file=sys.stderr)


def _usage() -> int:
    print(
        "usage: pfctl [-AdeghmNnOqRrvz] [-a anchor] [-D macro=value] [-F modifier]\n"
        "\t[-f file] [-i interface] [-K host | network] [-k host | network]\n"
        "\t[-o level] [-p device] [-s modifier]\n"
        "\t[-t table -T command [address ...]] [-x level]",
        file=sys.stderr,
    )
    return 1

"""plutil(1): -lint, -convert and -extract … raw, over Python's plistlib.

Which files are good is plistlib's judgement, a little stricter than Apple's; the sentence
after the file's name is ours, no capture of Apple's was at hand.
"""

from __future__ import annotations

import json
import plistlib
import sys
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import mac

_FORMATS = {"xml1": plistlib.FMT_XML, "binary1": plistlib.FMT_BINARY}


def main(arguments: list[str]) -> int:
    """Run plutil with `arguments`; 0 when every file was good, else 1."""
    words = list(arguments)
    verb = words.pop(0) if words and words[0].startswith("-") and words[0] != "-" else "-lint"
    parameters = [words.pop(0) for _ in range({"-convert": 1, "-extract": 2}.get(verb, 0)) if words]
    quiet, output = False, None
    while words and words[0] in ("-s", "-o", "--"):
        option = words.pop(0)
        quiet = quiet or option == "-s"
        output = words.pop(0) if option == "-o" and words else output
        if option == "--":
            break
    if words[1:2] == ["-o"]:  # plutil -convert xml1 FILE -o -
        output = words[2] if len(words) > 2 else output
        del words[1:3]
    if verb not in ("-lint", "-convert", "-extract"):
        mac.fail("the lab only knows -lint, -convert and -extract")
    if not words:
        mac.fail("No files specified.")
    return max([_one(verb, parameters, file, output, quiet) for file in words])


def _one(verb: str, parameters: list[str], file: str, output: str | None, quiet: bool) -> int:
    name = "<stdin>" if file == "-" else file
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        value = plistlib.loads(raw)
    except OSError:
        return _bad(f"{name}: file does not exist or is not readable or is not a regular file")
    except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError) as err:
        return _bad(f"{name}: {err}")
    if verb == "-lint":
        if not quiet:
            print(f"{name}: OK")
        return 0
    try:
        data = _extracted(value, *parameters) if verb == "-extract" else _as(value, parameters[0])
    except (KeyError, IndexError, TypeError, ValueError) as err:
        return _bad(f"{name}: {err}")
    target = output or ("-" if file == "-" or verb == "-extract" else file)
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        Path(target).write_bytes(data)
    return 0


def _bad(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _as(value: Any, form: str) -> bytes:
    if form == "json":
        return json.dumps(value).encode()
    if form not in _FORMATS:
        raise ValueError(f"Unknown format specifier: {form}")
    return plistlib.dumps(value, fmt=_FORMATS[form])


def _extracted(value: Any, keypath: str, form: str) -> bytes:
    here = value
    for key in keypath.split("."):
        here = here[int(key)] if isinstance(here, list) else here[key]
    if form != "raw":
        return _as(here, form)
    if isinstance(here, bool):
        return b"true\n" if here else b"false\n"
    if isinstance(here, dict):
        return "".join(f"{key}\n" for key in sorted(here)).encode()
    if isinstance(here, list):
        return f"{len(here)}\n".encode()
    return f"{here}\n".encode()

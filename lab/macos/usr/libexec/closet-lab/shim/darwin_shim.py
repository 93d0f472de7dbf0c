"""Make the Mac's own Python say Darwin: os.uname, and so platform.system() and friends.

Imported at every start through zz_darwin.pth. sys.platform stays linux on purpose: with it
changed, urllib, ctypes and subprocess take paths for which this system has no libraries.
Active in the Command Line Tools' Python and in /usr/bin/python3, never in another interpreter
of the machine nor in a virtual environment.
"""

# ruff: noqa: PTH123
# Every start of the Mac's Python runs this: it imports nothing that is not loaded anyway.

from __future__ import annotations

import os
import sys

_ENV = "/usr/libexec/closet-lab/mac.env"
_TOOLS = "/Library/Developer/CommandLineTools/"
_real_uname = os.uname


def _facts() -> dict[str, str]:
    facts: dict[str, str] = {}
    with open(os.environ.get("CLOSET_LAB_ROOT", "") + _ENV, encoding="utf-8") as lines:
        for line in lines:
            name, _mark, value = line.rstrip("\n").partition("=")
            facts[name] = value[1:-1]
    return facts


def uname() -> os.uname_result:
    """What os.uname() returns on this Mac; the real answer where no Mac is described."""
    real = _real_uname()
    try:
        facts = _facts()
        release, version = facts["DARWIN"], facts["KERNEL_VERSION"]
    except (OSError, KeyError):
        return real
    return os.uname_result(("Darwin", real.nodename, release, version, "arm64"))


def wanted(executable: str, home: str) -> bool:
    """Say whether the interpreter started as `executable`, this file in `home`, is the Mac's."""
    return executable == "/usr/bin/python3" or home.startswith(_TOOLS)


def activate() -> None:
    """Replace the one function that platform, sysconfig and Ansible ask."""
    import posix

    os.uname = posix.uname = uname


if wanted(sys.executable, __file__):
    activate()

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell commands that messages suggest: in backticks, and each of them run by a test.

What a person runs on a host, or on the controller for a file of theirs. test_advice.py has the
commands of Ansible. A command that is put together of parts is one where its program is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.unit.host_commands import IN_NO_MESSAGE, TRIED
from tests.unit.test_advice import ROOT, files, texts

NAMES = (
    "adduser|apt-get|brew|cat|chattr|chflags|chmod|chown|cp|curl|df|dseditgroup|dscacheutil|du|"
    "echo|fdesetup|fish_add_path|git|headscale|id|install|kill|launchctl|ls|lsattr|lsof|mkdir|"
    "mount|mv|opencode|openssl|ping|plutil|pmset|printf|ps|rm|sfltool|ssh|ssh-copy-id|ssh-keygen|"
    "systemctl|tail|tailscale|tailscaled|umask|vi|visudo|xattr|xcode-select"
)
SUDO = r"(?:sudo (?:-u \S+ |-[a-zA-Z]+ )*|\{x\})?"
# What follows the name of a program in a command, and not in a sentence about it.
ARGUMENT = r"[-/~{'\"$+:]|go-w|u\+rwx|nouchg|[0-7]{3,4}\b|error |print |enable |edit |0:0 |root "
# No word of English: always a command, whatever follows.
ALWAYS = "chattr|chflags|chgrp|chmod|chown|lsattr|mkdir|mv|rm|rmdir|ssh-copy-id|ssh-keygen"
CALL = rf"(?:(?:{NAMES})(?= (?:{ARGUMENT}))|(?:{ALWAYS}) \S)"
# A text, or what stands in backticks, that is a command from its first word on.
COMMAND = re.compile(rf"\(?(?:sudo (?:{NAMES})\b|{SUDO}{CALL})")
BARE = re.compile(rf"(?<![\w/.}}-])(?:sudo (?:{NAMES})(?![\w-])|{CALL}).{{0,60}}")
QUOTED = re.compile(rf"{SUDO}([a-z][a-z_-]*)(?: |$)")
# The way of the inventory to a host, which is put together elsewhere.
CALLED = re.compile(r"\{(\w+\.command\([^`{}]+\)|_\w*asking\(way\)|shlex\.join\(forget\))[`} ]")
LONGEST = 3  # line ends; a text with more is a script of ours


def in_text(text: str) -> Iterator[tuple[str, bool]]:
    """Each command of a text, and whether it is one that a person sees as such."""
    if COMMAND.match(text):
        yield text, True  # a part of a message
        return
    for number, part in enumerate(text.split("`")):
        if not number % 2:
            yield from ((found[0], False) for found in BARE.finditer(part))
        elif (first := QUOTED.match(part)) and (" " in part or first[1] == "mount"):
            yield part, True


def found() -> Iterator[tuple[str, str, bool]]:
    """File, command, and whether it is quoted, of every message."""
    for path in files():
        name, is_python = str(path.relative_to(ROOT)), path.suffix == ".py"
        if path.suffix not in (".py", ".yml"):
            continue
        for text in texts(path):
            if not is_python or text.count("\n") <= LONGEST:
                yield from ((name, *one) for one in in_text(text))
        if is_python:
            yield from ((name, call, True) for call in CALLED.findall(path.read_text()))


FOUND = list(found())


def row_of(file: str, command: str) -> tuple[str, str] | None:
    """The row of a command: file, and the longest beginning that fits."""
    fits = [
        (place, begin)
        for place, begin in (*TRIED, *IN_NO_MESSAGE)
        if place == file and command.startswith(begin)
    ]
    return max(fits, key=lambda row: len(row[1]), default=None)


def test_each_command_has_a_test_or_a_reason() -> None:
    missing = [(file, command) for file, command, _quoted in FOUND if row_of(file, command) is None]
    assert missing == []
    used = {row_of(file, command) for file, command, _quoted in FOUND}
    assert sorted({*TRIED, *IN_NO_MESSAGE} - used) == []


def test_each_command_stands_in_backticks() -> None:
    bare = [
        (file, command)
        for file, command, is_quoted in FOUND
        if not is_quoted and row_of(file, command) not in IN_NO_MESSAGE
    ]
    assert bare == []


@pytest.mark.parametrize("row", [row for row in TRIED if "::" in TRIED[row]], ids=str)
def test_the_test_of_a_command_is_there(row: tuple[str, str]) -> None:
    file, _, name = TRIED[row].partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        (
            "run `sudo chown {x} {x}` and then `mount`",
            [("sudo chown {x} {x}", True), ("mount", True)],
        ),
        ("move it away: mv {x} {x}.old", [("mv {x} {x}.old", False)]),
        ("sudo chattr -i {x}", [("sudo chattr -i {x}", True)]),
        ("give it to root: chown 0 {x}", [("chown 0 {x}", False)]),
        ("as root: sudo visudo", [("sudo visudo", False)]),
        ("`{x}mv -n {x} {x}`", [("{x}mv -n {x} {x}", True)]),
        ("`no-such-program --at {x}`", [("no-such-program --at {x}", True)]),
        ("sudo does not take the password; `state: absent` and `plist` are kept", []),
        ("run `{x}`, which shows whom the id belongs to", []),
    ],
)
def test_what_counts_as_a_command(text: str, commands: list[tuple[str, bool]]) -> None:
    assert list(in_text(text)) == commands

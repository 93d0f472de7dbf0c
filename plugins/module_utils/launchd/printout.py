# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parses the output of `launchctl print` and `launchctl print-disabled`.

The output is "NOT API in any sense at all" (launchctl(1)), so it is read key by key, never by
position, and a missing fact is unknown (None), not a default. Grammar and transcripts: macOS 10.10
to 27, see tests/unit/plugins/launchd/fixtures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LEAVING = ("SIGTERMed", "SIGKILLed", "exited", "languishing")
_IDLE_EXIT = "JETSAM_REASON_MEMORY_IDLE_EXIT"
_NEVER = ("(never exited)", "(abandoned)", "(failed reap)")
_ENDED_ON_REQUEST = (0, -15, 143)
"""What a program leaves behind after SIGTERM: its own end, the signal's, or 128 + the signal."""


@dataclass(frozen=True)
class Printout:
    """One job as launchd has it in memory.

    `values` are the lines `key = value` of the outermost block, `blocks` the raw lines of its inner
    blocks. `complete` is False when the output ends before its closing brace: then a missing
    line proves nothing.
    """

    target: str
    values: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    complete: bool = True
    indent: str = "\t"

    @property
    def path(self) -> str | None:
        return self.values.get("path")

    @property
    def state(self) -> str | None:
        return self.values.get("state")

    @property
    def pid(self) -> int | None:
        """The process; a line `pid = …` beside `state = not running` is not launchd's.

        The state stands before the arguments, the pid behind them, where the lines of an argument
        can look like any key.
        """
        return None if self.state == "not running" else _whole(self.values.get("pid"))

    @property
    def running(self) -> bool | None:
        """Whether a process exists; None when the output does not say."""
        if self.pid is not None:
            return True
        return False if self.complete and self.state is not None else None

    @property
    def leaving(self) -> bool:
        """launchd has signalled the process and waits for its end."""
        return self.state in _LEAVING

    @property
    def runs(self) -> int | None:
        return _whole(self.values.get("runs"))

    @property
    def exit_timeout(self) -> int | None:
        return _whole(self.values.get("exit timeout"))

    @property
    def throttle(self) -> int | None:
        """Seconds between starts as configured; the current one may have grown beyond it."""
        configured = self.values.get("base minimum runtime", self.values.get("minimum runtime"))
        return _whole(configured)

    @property
    def umask(self) -> int | None:
        text = self.values.get("umask", "")
        return int(text, 8) if re.fullmatch("[0-7]+", text) else None

    @property
    def properties(self) -> Sequence[str]:
        words = self.values.get("properties", "").split(" | ")
        return tuple(word.strip() for word in words if word.strip())

    @property
    def last_exit(self) -> int | None:
        """Exit code of the last run, negative for a signal; None when it never ended or a word."""
        code = _whole(self.values.get("last exit code"))
        if code is not None:
            return code
        number = re.search(r": (\d+)$", self.values.get("last terminating signal", ""))
        return -int(number.group(1)) if number else None

    @property
    def jetsam(self) -> str | None:
        """Why the kernel ended the last run to regain what it lacked; None when it did not.

        macOS prints the reason, its details, or both. A job that offers to be ended while it is
        idle has a reason as well, and nothing was short then.
        """
        texts = [
            self.values.get(key, "") for key in ("last exit reason", "last jetsam exit details")
        ]
        found = sorted(text for text in texts if "JETSAM" in text)
        if not found or any(_IDLE_EXIT in text for text in found):
            return None
        return found[0]  # JETSAM_REASON_… says more than OS_REASON_JETSAM

    @property
    def ended_badly(self) -> bool:
        """Whether the last run ended without a request to stop."""
        reason = self.values.get("last exit reason")
        if self.jetsam is not None or (reason and _IDLE_EXIT not in reason):
            return True
        return self.last_exit not in (None, *_ENDED_ON_REQUEST)

    @property
    def was_restarted_after_a_bad_end(self) -> bool:
        """Whether launchd restarted it repeatedly, and its last run ended without a request."""
        return (self.runs or 0) > 2 and self.ended_badly

    @property
    def last_exit_text(self) -> str | None:
        """The end of the last run in launchd's words; None when no run has ended yet."""
        for key in ("last exit code", "last terminating signal", "last exit reason"):
            text = self.values.get(key)
            if text is not None and text not in _NEVER:
                return text
        return None

    @property
    def arguments(self) -> Sequence[str] | None:
        """argv; the later lines of an argument that has several are taken to be part of it."""
        lines = self.blocks.get("arguments")
        if lines is None:
            return None
        arguments: list[str] = []
        for line in lines:
            if line.startswith(self.indent * 2):
                arguments.append(line[len(self.indent) * 2 :])
            elif arguments:
                arguments[-1] += f"\n{line}"
        return tuple(arguments)

    @property
    def environment(self) -> Mapping[str, str] | None:
        """The job's own variables, with the few that launchd adds.

        A value is taken as it stands: an empty one leaves `NAME => `, and blanks at its end count.
        Of a value with several lines it is the first.
        """
        lines = self.blocks.get("environment")
        if lines is None:
            return {} if self.complete else None
        begin = self.indent * 2
        pairs = (line[len(begin) :].partition(" =>") for line in lines if line.startswith(begin))
        return {name: value[1:] for name, arrow, value in pairs if arrow}


def parse_job(text: str, target: str) -> Printout | None:
    """The printout of `target` (domain/label), or None when the text is not one.

    OS X 10.10 prints the bare label in the first line; both are taken.
    """
    lines = _lines(text)
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    label = target.rsplit("/", 1)[-1]
    if not lines or lines[0].strip() not in (f"{target} = {{", f"{label} = {{"):
        return None
    outside = _white_space(lines[0])
    body = [line[len(outside) :] if line.startswith(outside) else line for line in lines[1:]]
    complete = bool(body) and body[-1].rstrip() == "}"
    indent = next((_white_space(line) for line in body if line.strip()), "\t")
    values, blocks = _outermost(body, indent)
    return Printout(target, values, blocks, complete, indent)


def parse_disabled(text: str) -> Mapping[str, bool] | None:
    """label -> disabled?, from the override store; None when the text does not hold the block.

    macOS 12 and older write true and false (true means disabled), newer ones the words; macOS
    26 indents everything by a tab; a second block about login items follows and is not ours.
    """
    lines = [line.strip() for line in text.split("\n")]
    start = next((n for n, line in enumerate(lines) if line == "disabled services = {"), None)
    if start is None:
        return None
    found: dict[str, bool] = {}
    for line in lines[start + 1 :]:
        if line == "}":
            return found
        entry = re.fullmatch(r'"(.*)" => (disabled|enabled|true|false)', line)
        if entry:
            found[entry.group(1)] = entry.group(2) in ("disabled", "true")
    return None


def parse_domain_services(text: str) -> list[str] | None:
    """Labels in the `services` block of `launchctl print <domain>`; None when there is none."""
    lines = _lines(text)
    start = next((n for n, line in enumerate(lines) if line.strip() == "services = {"), None)
    if start is None:
        return None
    labels: list[str] = []
    for line in lines[start + 1 :]:
        if line.strip() == "}":
            return labels
        words = line.split(None, 2)
        if len(words) == 3:
            labels.append(words[2])
    return None


def _outermost(
    lines: Sequence[str], indent: str
) -> tuple[dict[str, str], dict[str, Sequence[str]]]:
    """Keys and blocks at depth one.

    Arguments are printed raw, so one with several lines can look like anything. What stands before
    them is taken from its first line, what comes after from its last.
    """
    values: dict[str, str] = {}
    blocks: dict[str, Sequence[str]] = {}
    header: set[str] = set()
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line.startswith(indent) or line[len(indent) : len(indent) + 1].isspace():
            continue
        key, equals, value = line[len(indent) :].partition(" =")
        if not equals:
            continue
        if value.rstrip() == " {":
            end = _end_of_block(lines, position, indent)
            blocks.setdefault(key, tuple(lines[position:end]))
            position = end + 1
            header = header or (set(values) if key == "arguments" else set())
        elif key not in header:
            values[key] = value[1:]
    return values, blocks


def _end_of_block(lines: Sequence[str], start: int, indent: str) -> int:
    for position in range(start, len(lines)):
        if lines[position].rstrip() == f"{indent}}}":
            return position
    return len(lines)


def _lines(text: str) -> list[str]:
    """The lines with the blanks at their ends; a carriage return goes when all of them have it."""
    translated = text.count("\r\n") == text.count("\n")
    return (text.replace("\r\n", "\n") if translated else text).split("\n")


def _white_space(line: str) -> str:
    """What a line starts with; before the first key a tab since 10.11, four spaces before."""
    return line[: len(line) - len(line.lstrip())]


def _whole(text: str | None) -> int | None:
    number = re.match(r"-?\d+(?=$|[:\s])", text or "")
    return int(number.group()) if number else None

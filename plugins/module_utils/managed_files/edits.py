# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our block or our line in an unmanaged text; everything around it stays."""

from __future__ import annotations

import re

from ansible_collections.closet.inference.plugins.module_utils.managed_files.model import Edit

BEGIN = "# BEGIN closet.inference {name}"
END = "# END closet.inference {name}"


class DamagedBlockError(ValueError):
    """The markers in the file do not pair up, so our block cannot be found."""


class MisfitError(ValueError):
    """The text around our block does not have the required structure."""


def edited(text: str, edit: Edit) -> str:
    """`text` with one edit in it, or without it."""
    if edit.kind == "block":
        if edit.present:
            return with_block(text, edit.name, edit.text or "", edit.fits)
        return without_block(text, edit.name)
    if edit.present:
        return with_line(text, edit.text or "", edit.match)
    return without_line(text, edit.text, edit.match)


def with_block(text: str, name: str, block: str, fits: str = "") -> str:
    """`text` with exactly one block called `name`, where it was before or else at the end.

    `fits` is a pattern for all the rest of the text: a list of ours cannot follow a mapping.
    """
    lines = _lines(text)
    if fits and not re.fullmatch(fits, without_block(text, name)):
        raise MisfitError("what is in it is not of the shape that ours can be added to")
    spans = _block_spans(lines, name)
    ours = [_ended(BEGIN.format(name=name)), *_lines(_ended(block)), _ended(END.format(name=name))]
    place = spans[0][0] if spans else len(lines)
    rest_before, rest_after = _outside(lines[:place], spans), _outside_from(lines, place, spans)
    if rest_before:
        rest_before[-1] = _ended(rest_before[-1])
    return "".join([*rest_before, *ours, *rest_after])


def without_block(text: str, name: str) -> str:
    """`text` without any block called `name`."""
    lines = _lines(text)
    return "".join(_outside(lines, _block_spans(lines, name)))


def with_line(text: str, line: str, match: str | None) -> str:
    """`text` with `line` exactly once: in place of the first line it stands for, else at the end.

    A line stands for ours when the pattern `match` is found in it or when it is ours already;
    further ones go, so that no older value can win over ours.
    """
    lines = _lines(text)
    places = _matching(lines, line, match)
    if not places:
        if lines:
            lines[-1] = _ended(lines[-1])
        return "".join([*lines, _ended(line)])
    first = places[0]
    kept = [old for at, old in enumerate(lines) if at not in places or at == first]
    if lines[first].rstrip("\n") != line:
        kept[first] = _ended(line)
    return "".join(kept)


def without_line(text: str, line: str | None, match: str | None) -> str:
    """`text` without the lines that are `line` or in which the pattern `match` is found."""
    lines = _lines(text)
    places = set(_matching(lines, line, match))
    return "".join(old for at, old in enumerate(lines) if at not in places)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one (str.splitlines knows ten other ways)."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _ended(line: str) -> str:
    return line if not line or line.endswith("\n") else line + "\n"


def _matching(lines: list[str], line: str | None, match: str | None) -> list[int]:
    pattern = re.compile(match) if match else None
    return [
        at
        for at, old in enumerate(bare.rstrip("\n") for bare in lines)
        if old == line or (pattern and pattern.search(old))
    ]


def _block_spans(lines: list[str], name: str) -> list[tuple[int, int]]:
    """(first, last) line numbers, markers included, counted from 0."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    for at, line in enumerate(old.rstrip() for old in lines):
        if line == begin:
            if opened is not None:
                raise DamagedBlockError(
                    f"line {opened + 1} says '{begin}' and no '{end}' follows it"
                )
            opened = at
        elif line == end:
            if opened is None:
                raise DamagedBlockError(
                    f"line {at + 1} says '{end}' and no '{begin}' comes before it"
                )
            spans.append((opened, at))
            opened = None
    if opened is not None:
        raise DamagedBlockError(f"line {opened + 1} says '{begin}' and no '{end}' follows it")
    return spans


def _outside(lines: list[str], spans: list[tuple[int, int]]) -> list[str]:
    return _outside_from(lines, 0, spans)


def _outside_from(lines: list[str], start: int, spans: list[tuple[int, int]]) -> list[str]:
    return [
        line
        for at, line in enumerate(lines)
        if at >= start and not any(first <= at <= last for first, last in spans)
    ]

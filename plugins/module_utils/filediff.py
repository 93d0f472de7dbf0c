# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change to a file looks like in Ansible's diff mode, with secrets left out."""

from __future__ import annotations

from collections.abc import Mapping

Diff = dict[str, str]
NOT_SHOWN = "changed, not shown\n"


def content_diff(
    path: str,
    before: bytes | None,
    after: bytes | None,
    secret: bool,
    attributes: Mapping[str, str] | None = None,
) -> Diff:
    """The change of one file's content; None is a file that is not there.

    `attributes` are those a new file gets; they have no before to be compared with.
    """
    given = ", ".join(f"{name} {value}" for name, value in (attributes or {}).items())
    headers = {
        "before_header": path if before is not None else f"{path} (absent)",
        "after_header": f"{path} (absent)" if after is None else path + (given and f" ({given})"),
    }
    if secret:
        return {"before": "", "after": NOT_SHOWN, **headers}
    return {"before": _shown(before), "after": _shown(after), **headers}


def text_diff(header: str, before: str, after: str) -> Diff:
    """The change of one text; `header` says what it is about."""
    return {"before": before, "after": after, "before_header": header, "after_header": header}


def words_diff(path: str, what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Diff:
    """The change of a few named facts about a path, such as its mode and owner."""
    return text_diff(
        f"{path} ({what})",
        "".join(f"{name}: {value}\n" for name, value in before.items()),
        "".join(f"{name}: {value}\n" for name, value in after.items()),
    )


def _shown(data: bytes | None) -> str:
    if data is None:
        return ""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(data)} bytes that are not text)\n"
    return text if "\0" not in text else f"({len(data)} bytes that are not text)\n"

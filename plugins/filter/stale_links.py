# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links that a closet leaves behind when it serves other models."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any


def stale_links(record: Mapping[str, Any], serve_dir: str) -> list[dict[str, str]]:
    """Entries that remove the links of `record` unless they are in the folder that serves now.

    Folders of one server are beside each other. One elsewhere was another account's, which may be
    gone; nothing is done in its home but taking the keys away.
    """
    before = record["serve_dir"] if record else serve_dir
    if before == serve_dir or posixpath.dirname(before) != posixpath.dirname(serve_dir):
        return []
    return [
        {"path": f"{record['serve_dir']}/{model['name']}", "state": "absent"}
        for model in record["serving"]["models"]
    ]


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"stale_links": stale_links}

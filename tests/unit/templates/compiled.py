# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja's code for a template, kept: Ansible compiles a template each time that it fills it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext

# What the code depends on besides the text of the template; values are looked up when it runs.
SETTINGS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix"),
    *("line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "optimized", "sandboxed", "is_async"),
)
CODE: dict[tuple[Any, ...], Any] = {}


@contextmanager
def compiled_once() -> Iterator[None]:
    """Templates are compiled once, as long as this lasts and the next time."""
    compile_anew = AnsibleEnvironment.compile

    def compiled(self: Any, source: Any, *words: Any, **options: Any) -> Any:
        if not isinstance(source, str):  # a tree
            return compile_anew(self, source, *words, **options)
        context = _TemplateCompileContext.current(optional=True)
        settings = tuple(getattr(self, name) for name in SETTINGS)
        escapes = context is not None and context.escape_backslashes
        key = (type(self), settings, escapes, str(source), words, *sorted(options.items()))
        if key not in CODE:
            CODE[key] = compile_anew(self, source, *words, **options)
        return CODE[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnsibleEnvironment, "compile", compiled)
        yield

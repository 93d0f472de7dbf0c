# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, loaded once: each line of the input becomes a run, in a fork of this process.

A line is JSON: `cwd`, `argv` from the program on, and `output`, a file to append to. The answer is
the exit code. All runs have the environment of this process, and with it Ansible's configuration.

With an argument, a file, Jinja's code for a template is kept there: Ansible compiles each template
again in each of its workers, a quarter of the CPU time of a run. Only the compiling is left out.
"""

from __future__ import annotations

import gc
import importlib
import json
import marshal
import os
import sys
import traceback
import warnings
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext
from ansible.cli.playbook import main
from ansible.plugins import loader

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
# What the code depends on besides the text of the template; values are looked up when it runs.
SETTINGS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix"),
    *("line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "optimized", "sandboxed", "is_async"),
)


class Compiled:
    """The code of templates, shared by all runs and their workers through a file."""

    def __init__(self, path: str) -> None:
        self._codes: dict[str, CodeType] = {}
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._read_to = 0
        self._compile = AnsibleEnvironment.compile
        AnsibleEnvironment.compile = self._compiled

    def learn(self) -> None:
        """Read what other processes compiled; nobody writes while no run is there."""
        end = os.fstat(self._file).st_size
        data = os.pread(self._file, end - self._read_to, self._read_to)
        self._read_to = end
        while data:
            length = int.from_bytes(data[:4], "big")
            key, code = marshal.loads(data[4 : 4 + length])
            self._codes.setdefault(key, code)
            data = data[4 + length :]

    @property
    def _compiled(self) -> Any:
        ours = self

        def compiled(self: Any, source: Any, *words: Any, **options: Any) -> Any:
            if not isinstance(source, str):  # a tree
                return ours._compile(self, source, *words, **options)
            context = _TemplateCompileContext.current(optional=True)
            settings = [getattr(self, name) for name in SETTINGS]
            escapes = context is not None and context.escape_backslashes
            kind = type(self).__name__
            key = repr((kind, settings, escapes, str(source), words, sorted(options.items())))
            if key not in ours._codes:
                code = ours._compile(self, source, *words, **options)
                if not isinstance(code, CodeType):
                    return code
                ours._codes[key] = code
                kept = marshal.dumps((key, code))
                # one write: those of several workers do not mix
                os.write(ours._file, len(kept).to_bytes(4, "big") + kept)
            return ours._codes[key]

        return compiled


def prepare() -> None:
    """Load the plugins that each run loads; Ansible compiles those of a collection every time."""
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    loader.init_plugin_loader()
    for kind in ("callback", "filter", "inventory", "strategy", "test"):
        list(getattr(loader, f"{kind}_loader").all(class_only=True))
    for kind in ("action", "filter", "lookup"):
        for path in PLUGINS.glob(f"{kind}/[!_]*.py"):
            importlib.import_module(
                f"ansible_collections.closet.inference.plugins.{kind}.{path.stem}"
            )
    gc.freeze()


def run(order: dict[str, Any]) -> NoReturn:
    """Become one run of ansible-playbook."""
    code: Any = 250
    try:
        os.chdir(order["cwd"])
        sys.argv = order["argv"]
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (1, 2):
            os.dup2(os.open(order["output"], os.O_WRONLY | os.O_APPEND), number)
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    prepare()
    templates = Compiled(sys.argv[1]) if sys.argv[1:] else None
    for line in sys.stdin:
        if templates:
            templates.learn()
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

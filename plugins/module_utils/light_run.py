# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A light run of a module: what the host executes instead of Ansible's own wrapper.

plugin_utils/light_module.py sends the text of this file, and calls `main` with the sources of the
modules and with options that the controller has validated. Nothing of Ansible is imported here,
which is most of the CPU time of an ordinary run without changes, and nothing is written to a disk.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import syslog
import zlib
from collections.abc import Collection, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


class Sources:
    """Imports modules from their texts, for this process and those that it forks."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        names = [name.split(".") for name in texts]
        self._packages = {".".join(name[:end]) for name in names for end in range(1, len(name))}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        """Part of Python's protocol for finders of modules."""
        loader: Any = self
        if name in self._packages:
            return ModuleSpec(name, loader, is_package=True)
        return ModuleSpec(name, loader, origin=f"{name}.py") if name in self._texts else None

    def create_module(self, _spec: ModuleSpec) -> None:
        """Part of Python's protocol for loaders: no module class of our own."""

    def exec_module(self, module: ModuleType) -> None:
        """Part of Python's protocol for loaders."""
        name = module.__name__
        if name in self._texts:
            code = compile(self._texts[name], f"{name}.py", "exec", dont_inherit=True)
            exec(code, module.__dict__)

    def get_source(self, name: str) -> str:
        """The lines of a traceback."""
        return self._texts.get(name, "")


def main(sources: str, order: str) -> None:
    """Run one module and print its result, as Ansible reads it."""
    given = _unpacked(order)
    sys.meta_path.insert(0, Sources(_unpacked(sources)))
    options, secrets = given["options"], given["secrets"]
    if given["log"]:
        told = " ".join(f"{name}={value}" for name, value in masked(options, secrets).items())
        syslog.openlog(f"ansible-{given['module']}", 0, syslog.LOG_USER)
        syslog.syslog(syslog.LOG_INFO, f"Invoked with {told}".replace("\0", ""))
    _leave_unreadable_folder()
    try:
        module = importlib.import_module(given["module"]).MODULE
        result = module.result(options, given["check_mode"], given["diff"])
    except Exception as error:
        import traceback  # rarely needed, and each import takes time

        text = f"{type(error).__name__}: {error}"
        result = {"failed": True, "msg": text, "exception": traceback.format_exc()}
    result["invocation"] = {"module_args": options}
    sys.stdout.write("\n" + json.dumps(masked(result, secrets), default=_plain) + "\n")
    raise SystemExit(1 if result.get("failed") else 0)


def masked(value: Any, secrets: Collection[str]) -> Any:
    """`value` without the secrets, as AnsibleModule masks them in its result."""
    if isinstance(value, Mapping):
        return {key: masked(one, secrets) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(one, secrets) for one in value]
    if value is None or isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else str(value)
    if text in secrets:
        return "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    if not any(secret in text for secret in secrets):
        return value
    if not isinstance(value, str):
        return "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    for secret in secrets:
        text = text.replace(secret, "*" * 8)
    return text


def _unpacked(data: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(data)))


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _leave_unreadable_folder() -> None:
    """With another account's rights, the login's home may be out of reach; commands would fail."""
    try:
        readable = os.access(Path.cwd(), os.F_OK | os.R_OK)
    except OSError:
        readable = False
    if readable:
        return
    import tempfile  # as above

    for folder in (os.path.expandvars("$HOME"), tempfile.gettempdir()):
        if os.access(folder, os.F_OK | os.R_OK):
            os.chdir(folder)
            return

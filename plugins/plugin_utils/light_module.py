# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light runs of our modules: without Ansible's own code on the host, for a third of the CPU time.

Ansible packs a module with ansible.module_utils.basic, and the host compiles and imports that for
every run. A light run validates the options here, with the same validator and the module's own
spec, and sends the module's code alone (module_utils/light_run.py). Connection, become, pipelining,
environment and the result stay Ansible's. Whatever is unusual runs as Ansible runs it: options that
the validator objects to, `~` in a path, background jobs, delegation, an unknown interpreter.
"""

from __future__ import annotations

import base64
import importlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder

from ansible_collections.closet.inference.plugins.module_utils import light_run
from ansible_collections.closet.inference.plugins.module_utils.entry import Module
from ansible_collections.closet.inference.plugins.plugin_utils.converged import notes, watches

COLLECTION = "closet.inference."
PREFIX = "ansible_collections.closet.inference.plugins."
PLUGINS = Path(light_run.__file__).resolve().parents[1]
# "legacy" is the profile of all Python modules, in ansible-core 2.19 to 2.21
PROFILE = "legacy"
# as ruff writes it; test_light_module compares what it finds with what Python's own parser finds
IMPORT = re.compile(
    rf"^\s*from {re.escape(PREFIX)}(module_utils[\w.]*) import (\([^)]*\)|[^\n]*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Built:
    """What ActionBase needs to know of a module that is ready to be sent; its names for it."""

    b_module_data: bytes
    shebang: str
    module_style: str = "new"
    serialization_profile: str = PROFILE


class Light:
    """One module. Used `often`, it is loaded with its action plugin, before workers are forked."""

    def __init__(self, name: str, often: bool = False) -> None:
        self.full_name = f"{PREFIX}modules.{name}"
        self.path = PLUGINS / "modules" / f"{name}.py"
        if often:
            self.load()

    def load(self) -> tuple[Module, str]:
        """The module and its code, which stay loaded."""
        return self.module, self.sources

    @cached_property
    def module(self) -> Module:
        """What the module does with which options."""
        found: Module = importlib.import_module(self.full_name).MODULE
        return found

    @cached_property
    def sources(self) -> str:
        """Its code, as light_run unpacks it."""
        return packed(sources(self.path))

    def built(self, arguments: Mapping[str, Any], interpreter: str) -> Built | None:
        """The program for these arguments; None if Ansible should run the module."""
        encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        decoder = get_module_decoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        # as the host would get them
        given = json.loads(json.dumps(dict(arguments), cls=encoder), cls=decoder)
        options = {key: value for key, value in given.items() if not key.startswith("_ansible_")}
        module, code = self.load()
        spec = dict(module.options)
        if any(re.search(r"[~$]", path) for path in paths(spec, options)):
            return None
        valid = ModuleArgumentSpecValidator(spec, **module.constraints).validate(options)
        if valid.error_messages or valid._warnings or valid._deprecations:
            return None
        order = {
            "module": self.full_name,
            "options": valid.validated_parameters,
            "secrets": sorted(map(str, valid._no_log_values)),
            "check_mode": bool(given["_ansible_check_mode"]),
            "diff": bool(given["_ansible_diff"]),
            "log": not given["_ansible_no_log"],
        }
        program = Path(light_run.__file__).read_text(encoding="utf-8")
        call = f"main({code!r}, {packed(order)!r})"
        return Built(f"#!{interpreter}\n{program}\n\n{call}\n".encode(), f"#!{interpreter}")


class LightModule:
    """For an action plugin: runs the module `LIGHT` by light runs, where that is possible."""

    LIGHT: Light

    def _configure_module(
        self: Any, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]
    ) -> Any:
        """Overrides ActionBase, which packs the module here."""
        light = self.LIGHT
        built = None
        watched = watches.of_task(light.path.stem, module_args)
        plain = None if watched is None else [watch.plain() for watch in watched]
        notes.note("task", str(task_vars.get("inventory_hostname", "")), plain)
        if f"{PREFIX}modules.{module_name.removeprefix(COLLECTION)}" == light.full_name:
            interpreter = self._interpreter(task_vars)
            built = light.built(module_args, interpreter) if interpreter else None
        if built is None:
            return super()._configure_module(module_name, module_args, task_vars)  # type: ignore[misc]
        return built, str(light.path)

    def _interpreter(self: Any, task_vars: dict[str, Any]) -> str:
        """The host's Python; empty if Ansible has to find it, or is to run the module itself."""
        local = getattr(self._connection, "_remote_is_local", False)
        if local or self._task.async_val or self._task.delegate_to:
            return ""
        if constants.DEFAULT_KEEP_REMOTE_FILES or constants.DEFAULT_DEBUG:
            return ""
        if constants.config.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=task_vars):
            return ""
        found = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        python = str(self._templar.template(found) or "").strip()
        return python if python.startswith("/") else ""


def sources(module: Path) -> dict[str, str]:
    """The texts of a module and of everything that it imports from module_utils, by name."""
    texts: dict[str, str] = {}
    ahead = [module]
    while ahead:
        file = ahead.pop()
        name = PREFIX + ".".join(file.relative_to(PLUGINS).with_suffix("").parts)
        if name not in texts and file.is_file():
            texts[name] = file.read_text(encoding="utf-8")
            ahead += imported(texts[name])
    return texts


def imported(text: str) -> Iterator[Path]:
    """The files that a module's imports may name: `from x import y`, y in x or y of x."""
    for package, names in IMPORT.findall(text):
        at = PLUGINS.joinpath(*package.split("."))
        yield at.with_suffix(".py")
        yield from (at / f"{name}.py" for name in re.findall(r"\w+", names))


def packed(data: object) -> str:
    """As light_run unpacks it."""
    return base64.b64encode(zlib.compress(json.dumps(data).encode(), 6)).decode()


def paths(spec: Mapping[str, Any], options: Any) -> Iterator[str]:
    """The values of all options that are paths: a host expands them in its own way."""
    for one in options if isinstance(options, list) else [options]:
        for name, its in spec.items():
            value = one.get(name) if isinstance(one, Mapping) else None
            if "path" in (its.get("type"), its.get("elements")):
                yield from map(str, value if isinstance(value, list) else [value])
            elif its.get("options"):
                yield from paths(its["options"], value)

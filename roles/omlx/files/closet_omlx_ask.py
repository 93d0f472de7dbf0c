"""Describe this omlx: the settings that it reads, with their types, and its native kernels.

Run once with the Python of a new environment, as the account that will run omlx from it. Its last
line is a JSON object, see `ask` of the module python_environment; omlx_settings reads it.
The dataclasses: omlx/settings.py and omlx/model_settings.py since 0.5.0. The kernels:
omlx/custom_kernels/__init__.py of later releases; an omlx without that function has no `kernels`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib.metadata
import json
import types
import typing
from importlib import import_module
from typing import Any

KINDS = {bool: "flag", int: "whole", float: "number", str: "text"}


def kind(of: Any) -> str:
    """A type by its name in omlx_settings; "any" for a type without one."""
    if isinstance(of, type) and of in KINDS:
        return KINDS[of]
    origin, inner = typing.get_origin(of), typing.get_args(of)
    if origin in (typing.Union, types.UnionType):
        kinds = {kind(one) for one in inner if one is not type(None)}
        if kinds == {"whole", "number"}:
            return "number"
        return kinds.pop() if len(kinds) == 1 else "any"
    if origin is typing.Literal:
        return "text" if all(isinstance(one, str) for one in inner) else "any"
    if (origin or of) is list:
        return "texts" if inner == (str,) else "any"
    if (origin or of) in (dict, collections.abc.Mapping):
        return "mapping"
    return "any"


def keys(section: Any) -> dict[str, str]:
    """The keys of a settings object: its fields, and keys that it writes under another name."""
    try:
        hints = typing.get_type_hints(type(section))
    except (NameError, TypeError):  # a type that is imported for type checkers alone
        hints = {}
    known = {field.name: kind(hints.get(field.name)) for field in dataclasses.fields(section)}
    written = section.to_dict() if hasattr(section, "to_dict") else {}
    return {**dict.fromkeys(written, "any"), **known}


def settings() -> dict[str, dict[str, str]]:
    """The keys of each section of settings.json."""
    whole = import_module("omlx.settings").GlobalSettings()
    sections = {field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)}
    return {name: keys(one) for name, one in sections.items() if dataclasses.is_dataclass(one)}


def model() -> dict[str, str]:
    """The keys of a model in model_settings.json."""
    return keys(import_module("omlx.model_settings").ModelSettings())


def kernels() -> dict[str, str] | None:
    """Why each native kernel is unusable, empty if it is usable; None if omlx has no report."""
    try:
        status = import_module("omlx.custom_kernels").native_kernel_status()
    except (ImportError, AttributeError):
        return None
    return {
        name: "" if one.get("available") else str(one.get("import_error") or "it was not built")
        for name, one in status.items()
    }


def program() -> str:
    """The package that contains omlx, and its version; a fork has another name than omlx."""
    names = importlib.metadata.packages_distributions().get("omlx") or ["omlx"]
    name = "omlx" if "omlx" in names else names[0]
    return f"{name} {importlib.metadata.version(name)}"


def missing(who: str, status: dict[str, str] | None) -> list[str]:
    """A sentence about the missing kernels."""
    absent = {name: why for name, why in sorted((status or {}).items()) if why}
    if not absent:
        return []
    reasons = "; ".join(f"{name}: {why}" for name, why in absent.items())
    return [
        f"{who} has no native kernels for {', '.join(absent)}: models that use them (such as "
        "Qwen3.5 and later, GLM-5.2, MiniMax M3) run much slower, without another message. "
        f"The wheel of omlx's release contains kernels; a build from source has none. {reasons}"
    ]


def answer() -> dict[str, Any]:
    """The complete answer."""
    who, status = program(), kernels()
    found = {"program": who, "settings": settings(), "model": model(), "kernels": status}
    return {**found, "warnings": missing(who, status)}


if __name__ == "__main__":
    print(json.dumps(answer()))

# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the value of an option is one that our roles can take, and what it is as its type.

Pure. A role's argument specification says the type and the choices; Ansible converts text to a type
for its own check alone, and knows no ranges: these are the formats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.closet.inference.plugins.plugin_utils.daemon import owner
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.formats import ANY
from ansible_collections.closet.inference.plugins.plugin_utils.inventory.option_formats import (
    MAY_BE_EMPTY,
    format_of,
)

# Words that Ansible's filter `bool` takes.
YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")
SHOWN = 60


def errors(name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    """An error for what is wrong with `value`; `option` is its argument specification.

    What Ansible and our roles convert is fine: `"8000"` and `-e closet_port=8000` for a number,
    `yes` for a boolean, a word for a list of one.
    """
    if value is None and option.get("default", "") is None:
        return
    kind = str(option.get("type", "str"))
    if kind == "list":
        yield from _list_errors(name, option, value)
    elif kind == "dict":
        if not isinstance(value, Mapping):
            yield f"{name} is {_described(name, value)}, and it has to be a mapping"
        elif name.endswith("_plist"):
            yield from owner.plist_errors(name, value)
        elif name.endswith("_env"):
            yield from owner.environment_errors(name, value)
    else:
        yield from _one_error(name, name, kind, option, value)


def converted(option: Mapping[str, Any], value: Any) -> Any:
    """A value that fits, as its type: what our roles' filters make of it."""
    kind = str(option.get("type", "str"))
    if value is None:
        return value
    if kind == "list":
        return list(value) if isinstance(value, (list, tuple)) else [value]
    if kind == "bool":
        return value if isinstance(value, bool) else str(value).lower() in YES
    if kind in ("int", "float"):
        return int(value) if kind == "int" else float(value)
    return str(value) if kind == "str" else value


def _list_errors(name: str, option: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind = str(option.get("elements", "str"))
    if kind == "dict":
        if not isinstance(value, (list, tuple)):
            yield f"{name} is {_described(name, value)}, and it has to be a list of mappings"
            return
        for number, element in enumerate(value):
            if not isinstance(element, Mapping):
                yield f"{name}[{number}] is {_described(name, element)}, and it has to be a mapping"
        return
    if isinstance(value, Mapping) or value is None:
        yield f"{name} is {_described(name, value)}, and it has to be a list"
        return
    for number, element in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        yield from _one_error(name, f"{name}[{number}]", kind, option, element)


def _one_error(
    name: str, place: str, kind: str, option: Mapping[str, Any], value: Any
) -> Iterator[str]:
    its = format_of(name) or ANY
    right = its.right
    if option.get("choices"):
        right = f"one of {', '.join(map(str, option['choices']))}"
        valid = isinstance(value, str) and value in option["choices"]
    elif kind == "bool":
        right = "true or false"
        valid = isinstance(value, bool) or str(value).lower() in (*YES, *NO)
    elif kind in ("int", "float"):
        number = _number(value, kind)
        valid = number is not None and its.fits(number)
    else:
        text = _as_text(value)
        right = right or "text"
        may_be = option.get("default", "") == "" and not option.get("required")
        empty = text == "" and (may_be or name in MAY_BE_EMPTY)
        valid = text is not None and (empty or its.fits(text))
        if isinstance(value, float):
            right += " (put it in quotes: YAML reads a number and drops its last zeros)"
    if not valid:
        yield f"{place} is {_described(name, value)}, and it has to be {right}"


def _number(value: Any, kind: str) -> float | None:
    """What `| int` or `| float` make of it, for text that is a number as a whole."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) and (kind == "float" or value.is_integer()) else None
    pattern = r"-?[0-9]{1,18}" if kind == "int" else r"-?[0-9]{1,18}(\.[0-9]{1,18})?"
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        return None
    return int(value) if kind == "int" else float(value)


def _as_text(value: Any) -> str | None:
    """Text; a whole number as its digits, as in `preflight_minimum_macos: 14`."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _described(name: str, value: Any) -> str:
    its = format_of(name)
    if (its is not None and its.secret) or name.endswith(("_key", "_keys", "_token", "_secrets")):
        return "not shown, since it is a secret"
    return _shown(value)


def _shown(value: Any) -> str:
    """The value as YAML would have it, in one line and not at length."""
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    # what stands before the @ of an address may be a password
    text = re.sub(r"^([a-z][a-z0-9+.-]*://)?.*@", r"\1…@", str(value), flags=re.I | re.S)
    literal = repr(text) if isinstance(value, str) else text.lower()
    return literal if len(literal) <= SHOWN else f"{literal[:SHOWN]}…"

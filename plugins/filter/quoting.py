# Copyright (c) 2026, closet.inference contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as words of shell files and Caddyfiles, for templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.closet.inference.plugins.plugin_utils import quoting


def shell_word(text: Any) -> str:
    """One word of a shell file."""
    return _checked(quoting.shell_word, str(text))


def caddy_word(text: Any) -> str:
    """One argument of a Caddyfile."""
    return _checked(quoting.caddy_word, str(text))


def caddy_json(value: Any) -> str:
    """A value as JSON, as one argument of a Caddyfile."""
    return _checked(quoting.caddy_json, value)


def _checked(made: Callable[[Any], str], value: Any) -> str:
    try:
        return made(value)
    except quoting.QuotingError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible asks a filter plugin for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"shell_word": shell_word, "caddy_word": caddy_word, "caddy_json": caddy_json}
